"""Which proof belongs to which kind of stage; a new kind is one more line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hanlin.config import Recipe, StageConfig, StageKind
from hanlin.errors import RecipeError
from hanlin.runs.proofs.base import Proof
from hanlin.runs.proofs.language import prove_language

__all__ = ["PROOFS", "proof_of"]

PROOFS: Mapping[StageKind, Callable[[Recipe, StageConfig], Proof]] = {"language": prove_language}


def proof_of(recipe: Recipe, stage: StageConfig) -> Proof:
    """Return the arms and claims of a stage.

    Raises:
        RecipeError: there is no proof for a stage of this kind, or nothing to claim of this one.
    """
    make = PROOFS.get(stage.kind)
    if make is None:
        known = ", ".join(PROOFS)
        raise RecipeError(
            f"The stage {stage.name!r} is of kind {stage.kind!r}, for which there is no proof with "
            f"arms; there is one for: {known}. Stages that learn nothing write their verdicts into "
            "the ledger when they run."
        )
    proof = make(recipe, stage)
    if not proof.claims:
        raise RecipeError(
            f"There is nothing to claim of the stage {stage.name!r} as the recipe has it. Set "
            "evaluation.ngram_order for a baseline to compare it with."
        )
    return proof
