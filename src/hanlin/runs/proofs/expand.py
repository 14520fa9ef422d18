"""Claims about an expand stage: the new is learnt, the old is kept, and the switch works.

    full fine-tuning               all weights learn the same tokens of new text
    full fine-tuning with replay   a share of them old text
    lora                           low-rank corrections, where the stage adds something else

Every arm reads equally many tokens, and its learning rate is chosen among those tried: a method
that learns few tensors wants another rate than one that learns all.
"""

from __future__ import annotations

from collections.abc import Iterator

from hanlin.config import ExpandConfig, ReplayConfig
from hanlin.evaluation import above, at_least, below, better_than_spread
from hanlin.runs.proofs.base import Arm, Claim, Proof
from hanlin.runs.proofs.subject import Subject

__all__ = ["prove_expand"]

_RATES = (0.3, 1.0, 3.0)
_FULL, _REPLAYED, _LORA = "full fine-tuning", "full fine-tuning with replay", "lora"


def prove_expand(subject: Subject) -> Proof:
    """Return the arms and claims of an expand stage."""
    return Proof(arms=tuple(_arms(subject)), claims=tuple(_claims(subject)))


def _arms(subject: Subject) -> Iterator[Arm]:
    stage = subject.stage
    yield Arm(name="recipe", stages=(stage,), rates=_RATES)
    full = {"kind": "language", "expand": None}
    without = stage.model_copy(update={**full, "replay": None})
    yield Arm(name=_FULL, stages=(without,), rates=_RATES)
    if subject.earlier_parts:
        replay = stage.replay or ReplayConfig(parts=subject.earlier_parts)
        replayed = stage.model_copy(update={**full, "replay": replay})
        yield Arm(name=_REPLAYED, stages=(replayed,), rates=_RATES)
    config = stage.expand or ExpandConfig()
    if config.method != "lora":
        lora = ExpandConfig(name=config.name, method="lora", over=config.over)
        corrected = stage.model_copy(update={"expand": lora})
        yield Arm(name=_LORA, stages=(corrected,), rates=_RATES)


def _claims(subject: Subject) -> Iterator[Claim]:
    new = subject.recipe.parts_of(subject.stage) if subject.earlier_parts else ()
    for part in new:
        gained = f"watched.{part}.*.gained"
        yield Claim(
            sentence=f"On new {{language}} text ({part}), the expansion gains at least 80 % of "
            "what full fine-tuning gains",
            arm="recipe",
            control=_FULL,
            figure=gained,
            rule=at_least(0.8),
        )
        if (subject.stage.expand or ExpandConfig()).method != "lora":
            yield Claim(
                sentence=f"On new {{language}} text ({part}), the expansion gains at least what "
                "low-rank corrections gain",
                arm="recipe",
                control=_LORA,
                figure=gained,
                rule=at_least(),
            )
    for part in subject.earlier_parts:
        forgotten = f"watched.{part}.*.forgotten"
        yield Claim(
            sentence=f"Old {{language}} text ({part}) costs at most 1 % more bits than before",
            arm="recipe",
            control=_FULL,
            figure=forgotten,
            rule=below(0.01),
        )
        yield Claim(
            sentence=f"Of old {{language}} text ({part}), less is forgotten than by full "
            "fine-tuning with replay",
            arm="recipe",
            control=_REPLAYED,
            figure=forgotten,
            rule=better_than_spread(),
        )
    yield Claim(
        sentence="Switched off, the expansion leaves the core's outputs the same, bit for bit",
        arm="recipe",
        control="recipe",
        control_name="the core",
        figure="expansion.switched_off_identical",
        rule=above(1.0),
    )
