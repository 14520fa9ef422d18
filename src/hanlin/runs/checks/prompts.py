"""Documents too short for the prompts of a generate stage, found before anything is trained."""

from __future__ import annotations

from pathlib import Path

from hanlin.config import GenerateConfig, Recipe
from hanlin.runs.checks.shapes import known_context
from hanlin.stages import PassageSource, check_passages
from hanlin.tokenizers import Tokenizer

__all__ = ["check_prompts"]


def check_prompts(recipe: Recipe, corpus: Path, tokenizer: Tokenizer) -> None:
    """Check that each generate stage finds documents that are long enough in a built corpus.

    A stage whose model's context follows from another stage's work looks for itself, later.

    Raises:
        DataError: naming the stage and its parts.
    """
    for stage in recipe.stages:
        room = known_context(recipe, stage) if stage.kind == "generate" else None
        if room is not None:
            source = PassageSource(corpus, recipe.parts_of(stage), tokenizer)
            check_passages(source, stage.name, stage.generate or GenerateConfig(), room)
