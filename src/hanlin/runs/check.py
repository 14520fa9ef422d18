"""What can be wrong with a recipe beyond its types, found before any work starts."""

from __future__ import annotations

from pathlib import Path

from hanlin.config import Recipe, StageConfig
from hanlin.errors import RecipeError
from hanlin.models import resolve_model

__all__ = ["check_recipe"]


def check_recipe(recipe: Recipe) -> None:
    """Check that a recipe, with absolute paths, can be carried out.

    Raises:
        RecipeError: a stage starts from what is not there, replays what nobody read before it,
            inherits an optimiser that does not fit, or compares with what is left out; a batch is
            shorter than one row, or the tokenizer's folder holds none.
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
        _check_replay(recipe, number)
        _check_inheritance(recipe, number)
        if stage.learns and not stage.from_ and stage.learning.batch_tokens < context:
            raise RecipeError(
                f"The stage {stage.name!r} has training.batch_tokens "
                f"{stage.learning.batch_tokens}, less than one row of model.context_length "
                f"{context}. Set batch_tokens to {context} or more, or shorten the context."
            )
        _check_what_learns_nothing(recipe, stage)


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


def _check_release(stage: StageConfig, name: str, earlier: list[str]) -> None:
    if not name or name in earlier:
        return
    if not (Path(name) / "config.json").is_file():
        known = ", ".join(earlier) or "none"
        raise RecipeError(
            f"The stage {stage.name!r} names {name!r}, which is neither an earlier "
            f"stage ({known}) nor a folder with a config.json."
        )


def _check_replay(recipe: Recipe, number: int) -> None:
    """Refuse to replay parts that are unknown, that the stage reads anyway, or that came later."""
    stage = recipe.stages[number]
    if stage.replay is None:
        return
    own = recipe.parts_of(stage)
    earlier = {part for other in recipe.stages[:number] for part in recipe.parts_of(other)}
    # A release from outside may have learnt anything.
    outside = stage.from_ and stage.from_ not in [other.name for other in recipe.stages]
    for part in stage.replay.parts:
        fault = ""
        if part not in recipe.corpus.parts:
            fault = f"is no part of the corpus, which has {list(recipe.corpus.parts)}"
        elif part in own:
            fault = "is read by this stage as new text"
        elif part not in earlier and not outside:
            fault = f"was read by no earlier stage; those read {sorted(earlier)}"
        if fault:
            raise RecipeError(
                f"The stage {stage.name!r} replays the part {part!r}, which {fault}. Name in "
                "replay.parts what an earlier stage learnt."
            )


def _check_inheritance(recipe: Recipe, number: int) -> None:
    """Refuse to inherit an optimiser from what is no earlier stage of the same kind of training."""
    stage = recipe.stages[number]
    if stage.training is None or not stage.training.inherit_optimizer:
        return
    other = next((s for s in recipe.stages[:number] if s.name == stage.from_), None)
    fault = ""
    if other is None or other.training is None:
        fault = f"`from` is {stage.from_!r}, which is no earlier stage of this recipe that learns"
    elif other.training.optimizer.kind != stage.training.optimizer.kind:
        fault = (
            f"{other.name!r} learnt with {other.training.optimizer.kind!r} and this stage does "
            f"with {stage.training.optimizer.kind!r}"
        )
    if fault:
        raise RecipeError(
            f"The stage {stage.name!r} has training.inherit_optimizer, but {fault}. Start from a "
            "stage with the same optimizer.kind, or leave inherit_optimizer out."
        )
