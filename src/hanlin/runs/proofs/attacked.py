"""Claims about attacks in a task stage: they help against what was trained on, and against more.

    without attacks          the same stage, learning from clean examples alone
    with attacks by chance   as long moves of the embeddings, but random; blind rewriting

All arms do the same steps on the same rows and are attacked in the same way, each afresh on itself;
an arm under attack spends more operations, which its result says. Judged are classifiers alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hanlin.config import AdversarialConfig, StageConfig, TaskConfig
from hanlin.evaluation import at_least, better_than_spread
from hanlin.runs.proofs.base import Arm, Claim, Proof
from hanlin.runs.proofs.subject import Subject

__all__ = ["prove_attacked"]

_WITHOUT, _CHANCE = "without attacks", "with attacks by chance"
_SETS = {
    "trained": "the families that it was trained on",
    "held_out": "families that it was never trained on",
    "together": "all families",
}


def prove_attacked(subject: Subject) -> Proof:
    """Return the arms and claims of a task stage that learns from attacks."""
    stage = subject.stage
    assert stage.task is not None, "only a task stage is asked"
    config = stage.task.adversarial
    assert config is not None, "only one with a table `adversarial`"
    arms = [
        Arm(name="recipe", stages=(stage,)),
        Arm(name=_WITHOUT, stages=(_changed(stage, config, method="none", share=0.0),)),
    ]
    chance = _by_chance(config)
    if chance:
        arms.append(Arm(name=_CHANCE, stages=(_changed(stage, config, **chance),)))
    controls = [arm.name for arm in arms[1:]]
    claims = [
        claim
        for task in stage.task.tasks
        if config.measured and _classifies(task)
        for claim in _claims(task.name, config, controls)
    ]
    return Proof(arms=tuple(arms), claims=tuple(claims))


def _claims(task: str, config: AdversarialConfig, controls: list[str]) -> Iterator[Claim]:
    for name in config.measured_sets:
        for control in controls:
            yield Claim(
                sentence=f"Attacked by {_SETS[name]}, more {{language}} texts of {task!r} are "
                f"read rightly than by the stage {control}",
                arm="recipe",
                control=control,
                figure=f"attacked.{task}.*.by_attack.{name}.accuracy.value",
                rule=better_than_spread(higher=True),
            )
    yield Claim(
        sentence=f"Of clean {{language}} texts of {task!r}, at least 98 % as many are read "
        "rightly as by the stage without attacks",
        arm="recipe",
        control=_WITHOUT,
        figure=f"attacked.{task}.*.clean.value",
        rule=at_least(0.98),
    )


def _by_chance(config: AdversarialConfig) -> dict[str, Any]:
    """Return what makes the stage's attacks blind; nothing where they are already."""
    found: dict[str, Any] = {}
    if config.method not in ("none", "noise"):
        found["method"] = "noise"
        found["norm"] = config.resolved_norm
    if config.rewrites and config.tries > 1:
        found["tries"] = 1
    return found


def _changed(stage: StageConfig, config: AdversarialConfig, **changes: Any) -> StageConfig:
    """Return the stage with other attacks; what only the method meant goes back to its default."""
    assert stage.task is not None
    values = config.model_dump(exclude={"steps", "step_size"} if "method" in changes else set())
    if "method" in changes:
        values["weight"] = min(1.0, config.weight)
        values["norm"] = None
    other = AdversarialConfig.model_validate({**values, **changes})
    task = stage.task.model_copy(update={"adversarial": other})
    return stage.model_copy(update={"task": task})


def _classifies(task: TaskConfig) -> bool:
    return task.head is not None or (task.name == "classify" and not task.file)
