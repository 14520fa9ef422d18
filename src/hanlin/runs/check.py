"""What can be wrong with a recipe beyond its types, found before any work starts."""

from __future__ import annotations

from pathlib import Path

from hanlin.config import Recipe, StageConfig
from hanlin.errors import RecipeError
from hanlin.models import resolve_model
from hanlin.stages import check_language

__all__ = ["check_recipe"]


def check_recipe(recipe: Recipe) -> None:
    """Check that a recipe, with absolute paths, can be carried out.

    Raises:
        RecipeError: a stage starts from what is not there, a batch is shorter than one row, the
            tokenizer's folder holds none, or a language table does not fit.
        ModelError: the preset is unknown, or the shape is impossible.
    """
    if recipe.tokenizer.path and not (Path(recipe.tokenizer.path) / "tokenizer.json").is_file():
        raise RecipeError(
            f"tokenizer.path {recipe.tokenizer.path!r} holds no tokenizer.json. Give a folder that "
            "does, or leave it out to train a tokenizer."
        )
    vocab_size = 0 if recipe.tokenizer.path else recipe.tokenizer.vocab_size
    context = resolve_model(recipe.model, vocab_size or 1).context_length
    for number, stage in enumerate(recipe.stages):
        earlier = [other.name for other in recipe.stages[:number]]
        for name in (stage.from_, *stage.teachers):
            _check_release(stage, name, earlier)
        if stage.model is None and (not stage.from_ or stage.from_ in earlier):
            check_language(stage, context)
        if stage.learns and not stage.from_ and stage.learning.batch_tokens < context:
            raise RecipeError(
                f"The stage {stage.name!r} has training.batch_tokens "
                f"{stage.learning.batch_tokens}, less than one row of model.context_length "
                f"{context}. Set batch_tokens to {context} or more, or shorten the context."
            )


def _check_release(stage: StageConfig, name: str, earlier: list[str]) -> None:
    if not name or name in earlier:
        return
    if not (Path(name) / "config.json").is_file():
        known = ", ".join(earlier) or "none"
        raise RecipeError(
            f"The stage {stage.name!r} names {name!r}, which is neither an earlier "
            f"stage ({known}) nor a folder with a config.json."
        )
