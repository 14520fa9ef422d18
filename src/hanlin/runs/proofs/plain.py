"""Claims about a language stage without a table: it beats counting, and its optimiser AdamW.

AdamW, as the control, has its rate chosen among four on validation text; the recipe's optimiser is
taken as the recipe has it, which favours the control.
"""

from __future__ import annotations

from hanlin.config import OptimizerConfig, StageConfig
from hanlin.evaluation import better_than_spread
from hanlin.runs.measured import beats_ngram, ngram_control
from hanlin.runs.proofs.base import Arm, Claim, Proof
from hanlin.runs.proofs.subject import Subject

__all__ = ["prove_plain"]

_TEST = "evaluation.test.*.bits_per_byte"
_RATES = (1.0, 3.0, 10.0, 30.0)


def prove_plain(subject: Subject) -> Proof:
    """Return the arms and claims of a language stage."""
    recipe, stage = subject.recipe, subject.stage
    arms = [Arm(name="recipe", stages=(stage,))]
    claims = []
    if recipe.evaluation.ngram_order:
        claims.append(
            Claim(
                sentence=beats_ngram("{language}"),
                arm="recipe",
                control="recipe",
                figure=_TEST,
                control_figure="evaluation.ngram.*.bits_per_byte",
                control_name=ngram_control(recipe),
                rule=better_than_spread(),
            )
        )
    kind = stage.learning.optimizer.kind
    if kind != "adamw":
        arms.append(Arm(name="adamw", stages=(_with_adamw(stage),), rates=_RATES))
        claims.append(
            Claim(
                sentence=f"After the same tokens, {kind} predicts held-out {{language}} text "
                "better than AdamW at the best rate tried",
                arm="recipe",
                control="adamw",
                figure=_TEST,
                rule=better_than_spread(),
            )
        )
    return Proof(arms=tuple(arms), claims=tuple(claims))


def _with_adamw(stage: StageConfig) -> StageConfig:
    ours = stage.learning.optimizer
    kept = ours.model_dump(include={"weight_decay", "betas", "eps", "clip_norm"})
    optimizer = OptimizerConfig(kind="adamw", **kept)
    training = stage.learning.model_copy(update={"optimizer": optimizer})
    return stage.model_copy(update={"training": training})
