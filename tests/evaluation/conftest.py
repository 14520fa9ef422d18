from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch

from hanlin.config import ModelConfig
from hanlin.models import Decoder, build_model


class PieceTokenizer:
    """A real tokenizer of a few pieces and all bytes: the longest piece that fits comes first."""

    kind = "pieces"
    eot_id = 0
    fingerprint = "pieces"

    def __init__(self, pieces: Sequence[str] = ()) -> None:
        self.control: Mapping[str, int] = {"<|endoftext|>": 0}
        self._bytes = [
            b"",
            *(bytes([b]) for b in range(256)),
            *(p.encode("utf-8") for p in pieces),
        ]
        self._ids = {data: token for token, data in enumerate(self._bytes) if data}
        self._longest = max(map(len, self._bytes))
        self.vocab_size = len(self._bytes)

    def encode(self, text: str, *, allow_control: bool = False) -> list[int]:
        data, ids = text.encode("utf-8"), []
        while data:
            size = next(n for n in range(self._longest, 0, -1) if data[:n] in self._ids)
            ids.append(self._ids[data[:size]])
            data = data[size:]
        return ids

    def encode_batch(self, texts: Sequence[str]) -> list[np.ndarray]:
        return [np.array(self.encode(text), dtype=np.uint32) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        return b"".join(self._bytes[token] for token in ids).decode("utf-8", "replace")

    def token_bytes(self, token: int) -> bytes:
        return self._bytes[token]


@pytest.fixture(scope="session")
def tokenizer() -> PieceTokenizer:
    return PieceTokenizer(["你", "好", "你好", "the", " cat"])


@pytest.fixture
def model(tokenizer: PieceTokenizer) -> Decoder:
    """A tiny decoder with weights large enough that its distributions are far from uniform."""
    config = ModelConfig(
        family="gpt2",
        vocab_size=tokenizer.vocab_size,
        context_length=16,
        hidden_size=16,
        num_layers=1,
        num_heads=2,
        dropout=0.5,
        zero_init=False,
    )
    decoder = build_model(config, seed=0)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.mul_(5)
    return decoder
