"""Claims about the text that a stage learns: transformed text beside plain, old beside new.

    without augmentation   plain text alone, as many tokens of it as the stage read
    without replay         new text alone, as many tokens
    joint                  all parts from the start, as many tokens as all stages together

Transformed text is added to plain text here, not put in its place: the control reads as much plain
text in fewer steps, and the table says what that saves. `joint` is what one would do if all text
had been there at first; it has the schedule of the chain in one piece and its rate chosen.
"""

from __future__ import annotations

from collections.abc import Iterator

from hanlin.config import ScheduleConfig, StageConfig
from hanlin.evaluation import above, at_most, below, better_than_spread
from hanlin.runs.proofs.base import Arm, Claim, Proof
from hanlin.runs.proofs.subject import Subject, anew, with_steps

__all__ = ["prove_augmentation", "prove_replay"]

_RATES = (0.5, 1.0, 2.0)
_PLAIN, _NEW, _JOINT = "without augmentation", "without replay", "joint"


def prove_augmentation(subject: Subject) -> Proof:
    """Return the arms and claims of a stage that learns transformed text."""
    stage = subject.stage
    assert stage.augment is not None, "only a stage that augments is asked"
    steps = stage.learning.num_steps - stage.augment.total * stage.augmented_steps
    plain = with_steps(stage, steps, augment=None)
    recipe = Arm(name="recipe", stages=(stage,))
    return Proof(
        arms=(recipe, Arm(name=_PLAIN, stages=(plain,))), claims=tuple(_kept_apart(subject))
    )


def prove_replay(subject: Subject) -> Proof:
    """Return the arms and claims of a stage that replays old text."""
    stage = subject.stage
    arms = [
        Arm(name="recipe", stages=(stage,)),
        Arm(name=_NEW, stages=(stage.model_copy(update={"replay": None}),)),
    ]
    joint = _joint(subject)
    if joint is not None:
        arms.append(Arm(name=_JOINT, stages=(joint,), rates=_RATES))
    return Proof(arms=tuple(arms), claims=tuple(_remembered(subject, joint is not None)))


def _kept_apart(subject: Subject) -> Iterator[Claim]:
    yield Claim(
        sentence="After as much plain text, held-out {language} text costs at most 0.5 % more "
        "bits with augmentation than without",
        arm="recipe",
        control=_PLAIN,
        figure="evaluation.test.*.bits_per_byte",
        rule=at_most(1.005),
    )
    if "leakage" in subject.result["evaluation"]:
        yield Claim(
            sentence="Of texts that nobody asked to be transformed, at most 0.5 % look reversed",
            arm="recipe",
            control="recipe",
            control_name="held-out human text",
            figure="evaluation.leakage.samples.value",
            control_figure="evaluation.leakage.human.value",
            rule=below(0.005),
        )
    augment = subject.stage.augment
    if augment and augment.reverse and "reversal" in subject.result["evaluation"]:
        yield Claim(
            sentence="Facts that were taught as A is B are found from B in at least half of all "
            "cases in {language}",
            arm="recipe",
            control=_PLAIN,
            figure="evaluation.reversal.by_language.*.value",
            rule=above(0.5),
        )


def _remembered(subject: Subject, joint: bool) -> Iterator[Claim]:
    for part in subject.earlier_parts:
        forgotten = f"watched.{part}.*.forgotten"
        yield Claim(
            sentence=f"With replay, old {{language}} text ({part}) costs at most 1 % more bits "
            "than before",
            arm="recipe",
            control=_NEW,
            figure=forgotten,
            rule=below(0.01),
        )
        yield Claim(
            sentence=f"Without replay, more of old {{language}} text ({part}) is forgotten",
            arm=_NEW,
            control="recipe",
            figure=forgotten,
            rule=better_than_spread(higher=True),
        )
    for part in (*subject.earlier_parts, *subject.recipe.parts_of(subject.stage)) if joint else ():
        yield Claim(
            sentence=f"On {{language}} text of {part}, learning part after part costs at most 2 % "
            "more bits than learning all of them from the start",
            arm="recipe",
            control=_JOINT,
            figure=f"watched.{part}.*.bits_per_byte",
            rule=at_most(1.02),
        )


def _joint(subject: Subject) -> StageConfig | None:
    """Return one stage in place of the chain; None where it begins outside of the recipe."""
    stage = subject.stage
    chain = [before for before in subject.line() if before.learns]
    if not chain or chain[-1].from_:
        return None
    size = stage.learning.batch_tokens
    tokens = [each.learning.num_steps * each.learning.batch_tokens for each in (stage, *chain)]
    steps = round(sum(tokens) / size)
    parts = [*subject.recipe.parts_of(stage), *subject.earlier_parts]
    joint = anew(stage, steps, parts=tuple(dict.fromkeys(parts)), model=subject.shape())
    training = joint.learning.model_copy(
        update={
            "optimizer": chain[-1].learning.optimizer,
            "schedule": _in_one_piece(subject.stage, chain[-1], sum(tokens)),
        }
    )
    return joint.model_copy(update={"training": training})


def _in_one_piece(last: StageConfig, first: StageConfig, tokens: int) -> ScheduleConfig:
    """Return the last stage's schedule with as long a warm-up as the first, and a decay as long."""
    begin, end = first.learning, last.learning
    warmup = begin.schedule.warmup_share * begin.num_steps * begin.batch_tokens
    decay = end.schedule.decay_share * end.num_steps * end.batch_tokens
    return end.schedule.model_copy(
        update={"warmup_share": warmup / tokens, "decay_share": decay / tokens}
    )
