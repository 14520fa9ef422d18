from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from hanlin.config import ModelConfig
from hanlin.generation import Engine
from hanlin.models import build_model, resolve_model


class ByteTokenizer:
    """One token a byte after two control tokens and two common pieces: the whole contract."""

    kind = "bytes"
    control = {"<|endoftext|>": 0, "<|im_start|>": 1, "<|im_end|>": 2}  # noqa: RUF012
    eot_id = 0
    vocab_size = 3 + 256
    fingerprint = "bytes"

    def encode(self, text: str) -> list[int]:
        return [3 + byte for byte in text.encode()]

    def token_bytes(self, id: int) -> bytes:
        return next(
            (n.encode() for n, i in self.control.items() if i == id), bytes([(id - 3) % 256])
        )

    def decode_bytes(self, ids: list[int]) -> bytes:
        return b"".join(self.token_bytes(id) for id in ids if id not in self.control.values())

    def decode(self, ids: list[int]) -> str:
        return self.decode_bytes(ids).decode("utf-8", "replace")


@pytest.fixture
def tokenizer() -> ByteTokenizer:
    return ByteTokenizer()


@pytest.fixture
def engine(tokenizer) -> Callable[..., Engine]:
    """Return a maker of engines around tiny models with sharp opinions."""

    def build(family: str = "qwen3", *, seed: int = 1, **changes: object) -> Engine:
        fields = {
            "context_length": 48,
            "hidden_size": 32,
            "num_layers": 2,
            "num_heads": 4,
            **changes,
        }
        config = resolve_model(ModelConfig(family=family, **fields), tokenizer.vocab_size)
        model = build_model(config, seed=seed)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in model.parameters():
                noise = torch.randn(parameter.shape, generator=generator)
                if parameter.ndim > 1:
                    parameter.copy_(noise * 2 / parameter.shape[-1] ** 0.5)
        return Engine(model, tokenizer)

    return build
