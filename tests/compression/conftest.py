from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from hanlin.config import ModelConfig
from hanlin.models import Decoder, build_model, resolve_model

SHAPES = {
    "gpt2": {"family": "gpt2"},
    "gpt2-banded": {"family": "gpt2", "attention": "banded", "band_width": 5, "num_layers": 4},
    "llama": {"family": "llama", "num_kv_heads": 2, "tie_embeddings": False},
    "qwen2": {"family": "qwen2", "num_kv_heads": 1},
    "qwen3": {"family": "qwen3", "num_kv_heads": 2, "head_dim": 12},
}


@pytest.fixture
def make() -> Callable[..., Decoder]:
    """Return a maker of tiny decoders whose every parameter matters to the result."""

    def build(shape: str = "qwen3", *, seed: int = 1, **changes: object) -> Decoder:
        fields = {
            "context_length": 24,
            "hidden_size": 32,
            "num_layers": 3,
            "num_heads": 4,
            "vocab_size": 96,
            **SHAPES[shape],
            **changes,
        }
        model = build_model(resolve_model(ModelConfig(**fields), 96), seed=seed)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in model.parameters():
                noise = torch.randn(parameter.shape, generator=generator)
                if parameter.ndim == 1:
                    parameter.add_(0.3 * noise)
                else:
                    parameter.copy_(noise / parameter.shape[-1] ** 0.5)
        return model.eval()

    return build


@pytest.fixture
def rows() -> torch.Tensor:
    """Return calibration rows."""
    return torch.randint(0, 96, (24, 24), generator=torch.Generator().manual_seed(5))
