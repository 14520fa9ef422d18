"""Whether what a stage takes over from earlier ones, text or optimiser, is there to be taken."""

from __future__ import annotations

from hanlin.config import Recipe
from hanlin.errors import RecipeError

__all__ = ["check_mixtures"]


def check_mixtures(recipe: Recipe) -> None:
    """Check the parts that stages replay, and the optimisers that they inherit.

    Raises:
        RecipeError: naming the stage and what it could take instead.
    """
    for number in range(len(recipe.stages)):
        _check_replay(recipe, number)
        _check_inheritance(recipe, number)


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
