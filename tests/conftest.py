"""Tiny decoders of every shape, and one tiny real run, made once, for upper floors to look at."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hanlin.models import Decoder

os.environ.setdefault("HF_HUB_OFFLINE", "1")

TINY = """
name = "tiny"
prompts = ["", "小"]

[corpus]
validation_share = 0.05
test_share = 0.05

[[corpus.sources]]
name = "world"
world = { stories = 300 }

[corpus.cleaning]
near_duplicates = false

[tokenizer]
vocab_size = 600

[model]
hidden_size = 32
num_layers = 1
num_heads = 2
context_length = 64

[[stages]]
name = "base"
kind = "language"

[stages.training]
steps = 8
batch_tokens = 512
log_every = 2
eval_every = 4
sample_every = 4
eval_tokens = 600
checkpoint = { every_steps = 4 }

[evaluation]
ngram_order = 3
test_tokens = 600
samples = 4
greedy = 4

[sampling]
max_tokens = 30
"""

SHAPES = {
    "gpt2": {"family": "gpt2"},
    "gpt2-banded": {"family": "gpt2", "attention": "banded", "band_width": 5, "num_layers": 4},
    "llama": {"family": "llama", "num_kv_heads": 2, "tie_embeddings": False},
    "qwen2": {"family": "qwen2", "num_kv_heads": 1},
    "qwen3": {"family": "qwen3", "num_kv_heads": 2, "head_dim": 12},
}
"""Tiny shapes that between them exercise every branch of the decoder."""


@pytest.fixture(scope="session")
def tiny_text() -> str:
    """Return the recipe that the tiny run is made from."""
    return TINY


@pytest.fixture(scope="session")
def tiny_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a recipe that trains in seconds."""
    path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory, tiny_recipe: Path) -> Path:
    """Return the folder of a finished run; tests must not change it."""
    import hanlin

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    return hanlin.run(tiny_recipe, folder=folder, quiet=True)


@pytest.fixture
def make() -> Callable[..., Decoder]:
    """Return a maker of tiny decoders whose every parameter matters to the result."""
    import torch

    from hanlin.config import ModelConfig
    from hanlin.models import build_model, resolve_model

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
