"""One tiny real run, made once, that the tests of upper floors look at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
