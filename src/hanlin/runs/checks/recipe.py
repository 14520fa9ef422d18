"""Whether a recipe can be carried out: its tokenizer, what its stages start from, and the rest."""

from __future__ import annotations

from pathlib import Path

from hanlin.config import Recipe, StageConfig
from hanlin.errors import RecipeError
from hanlin.runs.checks.levels import check_expansions, check_levels
from hanlin.runs.checks.mixtures import check_mixtures
from hanlin.runs.checks.shapes import check_shapes
from hanlin.runs.checks.tasks import check_tasks

__all__ = ["check_recipe"]


def check_recipe(recipe: Recipe) -> None:
    """Check that a recipe, with absolute paths, can be carried out.

    Raises:
        RecipeError: a stage starts from what is not there, replays what nobody read before it,
            inherits an optimiser that does not fit, compares with what is left out, or waits for a
            level that can never be reached; a task is unknown or its file is missing; a batch is
            shorter than one row, or the tokenizer's folder holds none.
        DataError: a Python file that a task names defines none, or labels cannot be learnt.
        ModelError: the preset is unknown, or a shape is impossible, or cannot be grown to or
            expanded so.
        TokenizerError: a release from elsewhere that a distil stage reads has another tokenizer.
    """
    if recipe.tokenizer.path and not (Path(recipe.tokenizer.path) / "tokenizer.json").is_file():
        raise RecipeError(
            f"tokenizer.path {recipe.tokenizer.path!r} holds no tokenizer.json. Give a folder that "
            "does, or leave it out to train a tokenizer."
        )
    for number, stage in enumerate(recipe.stages):
        earlier = [other.name for other in recipe.stages[:number]]
        for name in (stage.from_, *stage.teachers):
            _check_release(stage, name, earlier)
        _check_what_learns_nothing(recipe, stage)
    check_mixtures(recipe)
    check_tasks(recipe)
    check_shapes(recipe)
    check_levels(recipe)
    check_expansions(recipe)


def _check_release(stage: StageConfig, name: str, earlier: list[str]) -> None:
    if not name or name in earlier:
        return
    if not (Path(name) / "config.json").is_file():
        known = ", ".join(earlier) or "none"
        raise RecipeError(
            f"The stage {stage.name!r} names {name!r}, which is neither an earlier "
            f"stage ({known}) nor a folder with a config.json."
        )


def _check_what_learns_nothing(recipe: Recipe, stage: StageConfig) -> None:
    if stage.kind == "generate" and not recipe.evaluation.ngram_order:
        raise RecipeError(
            f"The stage {stage.name!r} judges texts by the n-gram baseline, and "
            "evaluation.ngram_order is 0. Set it to 3 or more."
        )
    if stage.kind != "checkpoint":
        return
    source = recipe.learnt_in(stage.from_)
    if source is None:
        raise RecipeError(
            f"The stage {stage.name!r} starts from {stage.from_!r}, which no stage of this recipe "
            "learnt, so that there are no checkpoints. Name a stage in `from`."
        )
    training = source.learning
    if training.checkpoint.every_steps >= training.num_steps:
        raise RecipeError(
            f"The stage {stage.name!r} needs a checkpoint of {source.name!r} from before its last "
            f"step, but training.checkpoint.every_steps is {training.checkpoint.every_steps} of "
            f"{training.num_steps} steps. Lower it."
        )
