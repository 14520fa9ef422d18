"""Which proofs belong to a stage; all that apply are made into one. A new one is one more line."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hanlin.config import StageConfig
from hanlin.errors import RecipeError
from hanlin.runs.proofs.attacked import prove_attacked
from hanlin.runs.proofs.base import Proof, merge
from hanlin.runs.proofs.data import prove_augmentation, prove_replay
from hanlin.runs.proofs.distil import prove_distil
from hanlin.runs.proofs.expand import prove_expand
from hanlin.runs.proofs.language import prove_language
from hanlin.runs.proofs.plain import prove_plain
from hanlin.runs.proofs.subject import Subject
from hanlin.runs.proofs.tasks import prove_tasks

__all__ = ["PROOFS", "proof_of"]


def _only_writes(stage: StageConfig) -> bool:
    """Whether a stage teaches tasks that all write, rather than heads or preferences."""
    tasks = stage.task.tasks if stage.task is not None else ()
    return bool(tasks) and all(task.head is None for task in tasks)


PROOFS: Sequence[tuple[Callable[[StageConfig], bool], Callable[[Subject], Proof]]] = (
    (lambda stage: stage.kind == "distil", prove_distil),
    (lambda stage: stage.kind == "language" and stage.language is None, prove_plain),
    (lambda stage: stage.kind == "language" and stage.language is not None, prove_language),
    (lambda stage: stage.kind == "expand", prove_expand),
    (lambda stage: stage.task is not None and stage.task.adversarial is not None, prove_attacked),
    (_only_writes, prove_tasks),
    (lambda stage: stage.augment is not None, prove_augmentation),
    (lambda stage: stage.replay is not None and bool(stage.from_), prove_replay),
)


def proof_of(subject: Subject) -> Proof:
    """Return the arms and claims of a stage.

    Raises:
        RecipeError: the stage learns nothing, or there is nothing to claim of it.
    """
    stage = subject.stage
    made = [make(subject) for applies, make in PROOFS if stage.learns and applies(stage)]
    if not made:
        raise RecipeError(
            f"The stage {stage.name!r} is of kind {stage.kind!r}, which learns nothing and has no "
            "proof with arms. Such stages write their verdicts into the ledger when they run."
        )
    proof = merge(made)
    if not proof.claims:
        raise RecipeError(
            f"There is nothing to claim of the stage {stage.name!r} as the recipe has it. Set "
            "evaluation.ngram_order for a baseline to compare it with, or give it teachers."
        )
    return proof
