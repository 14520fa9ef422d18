"""Small recipes that tests of stages run, and what their runs leave behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import hanlin

__all__ = ["read_result", "run_recipe", "run_small", "small_recipe", "with_stages", "write_recipe"]


def small_recipe(name: str, *, model: str, training: str, sources: str = "") -> str:
    """Return a recipe with one stage, `base`, which nothing is measured against.

    `model` and `training` are the keys of these tables, `sources` further entries of the corpus.
    """
    return f"""
name = "{name}"
prompts = [""]

[[corpus.sources]]
name = "world"
world = {{ stories = 120 }}
{sources}
[corpus]
validation_share = 0.1
test_share = 0.1

[corpus.cleaning]
near_duplicates = false

[tokenizer]
vocab_size = 600

[model]
hidden_size = 24
num_heads = 2
{model}

[evaluation]
ngram_order = 0
test_tokens = 400
samples = 2

[sampling]
max_tokens = 10

[[stages]]
name = "base"
kind = "language"
training = {{ {training}, sample_every = 0 }}
"""


def write_recipe(folder: Path, *texts: str) -> Path:
    """Write a recipe from its parts into a folder that may be new; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.toml"
    path.write_text("\n".join(texts), encoding="utf-8")
    return path


def run_recipe(recipe: Path, **options: Any) -> Path:
    """Run a recipe, or go on with it, in the folder `run` beside it."""
    return hanlin.run(recipe, folder=recipe.parent / "run", quiet=True, **options)


def run_small(folder: Path, *texts: str, **options: Any) -> Path:
    """Write a recipe from its parts, and run it, or go on with it, in `folder`/run."""
    return run_recipe(write_recipe(folder, *texts), **options)


def with_stages(run: Path, text: str, folder: Path, *stages: str) -> Path:
    """Copy a finished run beside its recipe with further stages; return that recipe."""
    shutil.copytree(run, folder / "run")
    return write_recipe(folder, text, *stages)


def read_result(run: Path, stage: str) -> dict[str, Any]:
    """Return the result.json of a stage, which is named with its number: `2-law`."""
    text = (run / "stages" / stage / "result.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
