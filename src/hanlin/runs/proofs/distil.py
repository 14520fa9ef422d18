"""Claims about a distil stage: that growth and teachers are worth what they cost.

A student that grew from a smaller model is compared at equal *total* operations. Those of the
stages that it starts from and learns from, and of their teachers in turn, count as its own:

    scratch     the same shape, fresh, next-token prediction, on all of these operations
    distilled   fresh, with the teachers' soft targets and nothing else
    grown       from the smaller model's weights, without a teacher
    recipe      the stage as it is

"At least as good with a quarter less" is asked of arms whose budget is three quarters and whose
learning rate falls all the same, not of a point on a curve at which it has not fallen yet.

Without growth (a small student of a large teacher) the stage stands beside plain training at equal
steps: the teacher is there for other reasons, or it would not be asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from hanlin.config import DistilConfig, StageConfig
from hanlin.evaluation import Comparison, at_most, better_than_spread
from hanlin.models import count_parameters
from hanlin.runs.proofs.base import Arm, Claim, Proof
from hanlin.runs.proofs.subject import Subject, anew, with_steps
from hanlin.stages import row_length, teaching_flops

__all__ = ["prove_distil"]

_TEST = "evaluation.test.*.bits_per_byte"
_RATES = (0.5, 1.0, 2.0)
_LESS = 0.75
_CACHE: dict[str, float | str] = {"cache_top_k": 0, "cache_folder": ""}
_SOFT = {"soft", "temperature", "divergence", "schedule", "until_share", *_CACHE}
_TAUGHT = {"soft": 0.0, "hint": 0.0, "relation": 0.0, "input": 0.0, "on_policy": 0.0, **_CACHE}
_EXTRAS = {
    "hint": "hints",
    "relation": "relations",
    "input": "the teacher as input",
    "on_policy": "text of its own",
}


def prove_distil(subject: Subject) -> Proof:
    """Return the arms and claims of a distil stage."""
    stage = _Stage(subject)
    if stage.grows:
        return Proof(
            arms=(*_grown_arms(stage), *_less_arms(stage), *_ablations(stage)),
            claims=(*_grown_claims(stage), *_ablation_claims(stage)),
        )
    arms = [_recipe(stage)]
    claims = []
    if stage.teaches:
        scratch = anew(subject.stage, stage.steps, model=subject.shape())
        flops = stage.steps * subject.step_flops
        arms.append(Arm(name="scratch", stages=(scratch,), rates=_RATES, expected=flops))
        claims = [
            _passes_teacher(),
            _better(
                "The student predicts held-out {language} text better than after as many "
                "steps without a teacher",
                "recipe",
                "scratch",
            ),
        ]
    return Proof(arms=(*arms, *_ablations(stage)), claims=(*claims, *_ablation_claims(stage)))


@dataclass(frozen=True)
class _Stage:
    """The stage with what its arms are made of."""

    subject: Subject

    @property
    def config(self) -> DistilConfig:
        return self.subject.stage.distil or DistilConfig()

    @property
    def teaches(self) -> bool:
        return bool(self.subject.stage.teachers) and self.config.teaches

    @property
    def steps(self) -> int:
        return int(self.subject.result["steps"])

    @cached_property
    def grows(self) -> bool:
        """Whether it starts from a smaller model."""
        start = self.subject.stage.from_
        if not start or self.subject.stage.model is None:
            return False
        before, after = (count_parameters(self.subject.shape(name)).total for name in (start, ""))
        return before < after

    @cached_property
    def budget(self) -> float:
        """Operations of the stage and of all that it starts or learns from."""
        return self.spent(self.subject.stage) + self.subject.flops

    def spent(self, stage: StageConfig) -> float:
        """Return the operations before a stage that count as its own; none where it is fresh."""
        teachers = stage.teachers if (stage.distil or DistilConfig()).teaches else ()
        if not self.grows:
            return 0.0
        return self.subject.flops_before(stage.from_, *teachers)

    def step_flops(self, stage: StageConfig) -> float:
        """Return the operations of a step, teachers included, on average over the stage."""
        config, subject = stage.distil or DistilConfig(), self.subject
        if not (stage.teachers and config.teaches):
            return subject.step_flops
        shape = subject.shape()
        length = row_length(subject.stage.model or subject.recipe.model, shape)
        training = with_steps(subject.stage, self.steps).learning
        teachers = [subject.shape(name) for name in stage.teachers]
        _, extra = teaching_flops(config, training, teachers, shape, length)
        return subject.step_flops + extra / self.steps

    def arm(self, name: str, stage: StageConfig, *, share: float = 1.0) -> Arm:
        """Return an arm whose steps use up what the budget leaves to it."""
        spent, step = self.spent(stage), self.step_flops(stage)
        steps = max(1, round((share * self.budget - spent) / step))
        return Arm(
            name=name,
            stages=(with_steps(stage, steps),),
            rates=_RATES,
            spent=spent,
            expected=steps * step,
            share=share,
        )

    def changed(self, **settings: float | str) -> StageConfig:
        """Return the stage with other settings of its table, without teachers if none is left."""
        config = self.config.model_copy(update=settings)
        update: dict[str, object] = {"distil": config}
        if not config.teaches:
            update["teachers"] = ()
        return self.subject.stage.model_copy(update=update)


def _recipe(stage: _Stage) -> Arm:
    return Arm(
        name="recipe",
        stages=(stage.subject.stage,),
        rates=_RATES,
        spent=stage.spent(stage.subject.stage),
        expected=stage.subject.flops,
    )


def _grown_arms(stage: _Stage) -> Iterator[Arm]:
    subject = stage.subject
    fresh = anew(subject.stage, 1, model=subject.shape())
    yield stage.arm("scratch", fresh)
    if stage.teaches and stage.config.soft:
        soft = DistilConfig(**stage.config.model_dump(include=_SOFT))
        taught = {"kind": "distil", "teachers": subject.stage.teachers, "distil": soft}
        yield stage.arm("distilled", fresh.model_copy(update=taught))
    if stage.teaches:
        yield stage.arm("grown", stage.changed(**_TAUGHT))
    yield _recipe(stage)


def _less_arms(stage: _Stage) -> Iterator[Arm]:
    yield stage.arm(f"recipe at {_LESS:.0%}", stage.subject.stage, share=_LESS)
    if stage.teaches:
        yield stage.arm(f"grown at {_LESS:.0%}", stage.changed(**_TAUGHT), share=_LESS)


def _grown_claims(stage: _Stage) -> Iterator[Claim]:
    text = "predicts held-out {language} text"
    if stage.teaches:
        yield _passes_teacher()
    yield _better(
        f"At equal total compute, the student {text} better than one from scratch",
        "recipe",
        "scratch",
    )
    if stage.teaches:
        yield _better(
            f"At equal total compute, the student {text} better than without its teacher",
            "recipe",
            "grown",
        )
    if stage.teaches and stage.config.soft:
        yield _better(
            f"At equal total compute, the student {text} better than a fresh one with "
            "the same soft targets",
            "recipe",
            "distilled",
        )
    for arm, words in (("recipe", "the student"), ("grown", "the student without a teacher")):
        if arm == "recipe" or stage.teaches:
            yield _better(
                f"With a quarter less total compute, {words} {text} at least as well as "
                "one from scratch",
                f"{arm} at {_LESS:.0%}",
                "scratch",
                at_most(),
            )


def _ablations(stage: _Stage) -> Iterator[Arm]:
    """Yield an arm without each thing that the recipe sets beyond soft targets."""
    if stage.config.disagreement or stage.config.confidence:
        plain = stage.changed(disagreement=0.0, confidence=0.0)
        yield _fitted(stage, "without diversity", plain)
    for key, words in _EXTRAS.items():
        if stage.teaches and getattr(stage.config, key):
            yield _fitted(stage, f"without {words}", stage.changed(**{key: 0.0}))


def _fitted(stage: _Stage, name: str, changed: StageConfig) -> Arm:
    if stage.grows:
        return stage.arm(name, changed)
    step = stage.step_flops(changed)
    return Arm(name=name, stages=(changed,), rates=_RATES, expected=stage.steps * step)


def _ablation_claims(stage: _Stage) -> Iterator[Claim]:
    names = [arm.name for arm in _ablations(stage)]
    for name in names:
        yield _better(
            f"The student predicts held-out {{language}} text better than {name}", "recipe", name
        )


def _passes_teacher() -> Claim:
    return Claim(
        sentence="The student predicts held-out {language} text better than its best teacher",
        arm="recipe",
        control="recipe",
        figure=_TEST,
        control_figure="teacher.*.bits_per_byte",
        control_name="its best teacher",
        rule=better_than_spread(),
    )


def _better(sentence: str, arm: str, control: str, rule: Comparison | None = None) -> Claim:
    return Claim(
        sentence=sentence,
        arm=arm,
        control=control,
        figure=_TEST,
        rule=rule or better_than_spread(),
    )
