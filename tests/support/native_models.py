"""Tiny decoders of every shape that the native core takes, and what they say of random tokens."""

from __future__ import annotations

import numpy as np
import torch

from hanlin.config import ModelConfig
from hanlin.models import Decoder, build_model, resolve_model

__all__ = ["SHAPES", "gap", "ids_of", "logits_of", "make"]

SHAPES = {
    "gpt2": {"family": "gpt2"},
    "gpt2-untied": {"family": "gpt2", "tie_embeddings": False, "hidden_size": 40},
    "gpt2-banded": {"family": "gpt2", "attention": "banded", "band_width": 5},
    "llama": {"family": "llama", "num_kv_heads": 2, "tie_embeddings": False},
    "qwen2": {"family": "qwen2", "num_kv_heads": 1},
    "qwen3": {"family": "qwen3", "num_kv_heads": 2, "head_dim": 12},
    "qwen3-banded": {"family": "qwen3", "attention": "banded", "band_width": 5},
}


def make(shape: str, **changes: object) -> Decoder:
    fields = {
        "context_length": 80,
        "hidden_size": 32,
        "num_layers": 3,
        "num_heads": 4,
        "vocab_size": 100,
        **SHAPES[shape],
        **changes,
    }
    model = build_model(resolve_model(ModelConfig(**fields), 100), seed=1)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim == 1:
                parameter.add_(0.3 * noise)
            else:
                parameter.copy_(noise * 2 / parameter.shape[-1] ** 0.5)
    return model.eval()


def ids_of(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 100, count)


def logits_of(model: Decoder, ids: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return model(torch.from_numpy(ids)[None])[0].float().numpy()


def gap(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())
