"""Claims about a task stage: each task beats its plain baselines, and costs the others little.

    recipe            all tasks together
    TASK alone        that task and plain text, as many tokens of it as the recipe reads
    TASK added        the other tasks first, then all of them, the new one in half of the rows

Arms are compared at equal tokens of a task, not at equal operations. A task is judged by the first
of its `scores` that was measured; its baselines by the first that they have too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hanlin.config import StageConfig, TaskConfig, TaskStageConfig
from hanlin.evaluation import above, at_most, better_than_spread, no_lower_by
from hanlin.runs.proofs.base import Arm, Claim, Proof
from hanlin.runs.proofs.subject import Subject, with_steps
from hanlin.tasks import find_task

__all__ = ["prove_tasks"]

_POINT = 0.01
_OF_HUNDRED = frozenset({"bleu", "chrf"})


def prove_tasks(subject: Subject) -> Proof:
    """Return the arms and claims of a task stage."""
    config = subject.stage.task
    assert config is not None, "a task stage has tasks"
    return Proof(
        arms=tuple(_arms(subject, config)),
        claims=(*_kept(), *(c for task in config.tasks for c in _claims(subject, config, task))),
    )


def _arms(subject: Subject, config: TaskStageConfig) -> Iterator[Arm]:
    stage = subject.stage
    yield Arm(name="recipe", stages=(stage,))
    if len(config.tasks) == 1:
        return
    for task in config.tasks:
        share = _share(subject, config, task)
        alone = _with_tasks(stage, config, (task,), share)
        yield Arm(name=_alone(task), stages=(alone,), share=share)
    *others, new = config.tasks
    share = _share(subject, config, new)
    first = _with_tasks(stage, config, tuple(others), 1 - share)
    first = first.model_copy(update={"name": f"{stage.name}-before"})
    half = new.model_copy(update={"weight": new.weight * (1 - share) / share})
    then = _with_tasks(stage, config, (*others, half), 2 * share)
    then = then.model_copy(update={"from_": first.name})
    yield Arm(name=_added(new), stages=(first, then), share=1 + share)


def _kept() -> Iterator[Claim]:
    yield Claim(
        sentence="Plain {language} text costs at most 2 % more bits than before the tasks",
        arm="recipe",
        control="recipe",
        control_name="the model before",
        figure="plain_text.after.*",
        control_figure="plain_text.before.*",
        rule=at_most(1.02),
    )


def _claims(subject: Subject, config: TaskStageConfig, task: TaskConfig) -> Iterator[Claim]:
    groups = subject.result["tasks"][task.name]["after"]
    means = find_task(task)
    after = f"tasks.{task.name}.after.*"
    score = _score(means.scores, groups)
    yield from _baselines(task, means.scores, groups)
    for figure, level in means.bars.items() if task.world is not None else ():
        yield Claim(
            sentence=f"Of {task.name}, {figure} is at least {level:g} on {{language}}",
            arm="recipe",
            control="recipe",
            control_name="before the stage",
            figure=f"{after}.{figure}",
            control_figure=f"tasks.{task.name}.before.*.{figure}",
            rule=above(level),
        )
    if not score or len(config.tasks) == 1:
        return
    margin = _margin(score)
    yield Claim(
        sentence=f"Taught with the others, {task.name} loses at most 1 point of {score} on "
        "{language} against being taught alone",
        arm="recipe",
        control=_alone(task),
        figure=f"{after}.{score}",
        rule=no_lower_by(margin),
    )
    new = config.tasks[-1]
    if task != new:
        yield Claim(
            sentence=f"{new.name} added later costs {task.name} at most 1 point of {score} on "
            "{language}",
            arm=_added(new),
            control=_added(new),
            control_name=f"before {new.name} was added",
            figure=f"{after}.{score}",
            control_figure=f"tasks.{task.name}.before.*.{score}",
            rule=no_lower_by(margin),
        )


def _baselines(
    task: TaskConfig, scores: tuple[str, ...], groups: Mapping[str, Any]
) -> Iterator[Claim]:
    """Yield a claim for each baseline that was measured beside a task."""
    first: Mapping[str, Any] = next(iter(groups.values()), {})
    for name, control in first.get("controls", {}).items():
        score = _score(scores, {"": control})
        if score:
            yield Claim(
                sentence=f"{task.name} is better than its baseline {name.replace('_', ' ')} in "
                f"{score} on {{language}}",
                arm="recipe",
                control="recipe",
                control_name=name.replace("_", " "),
                figure=f"tasks.{task.name}.after.*.{score}",
                control_figure=f"tasks.{task.name}.after.*.controls.{name}.{score}",
                rule=better_than_spread(higher=True),
            )


def _share(subject: Subject, config: TaskStageConfig, task: TaskConfig) -> float:
    """Return which share of the rows that are no plain text a task had in the run."""
    return float(subject.result["tasks"][task.name]["share"] / (1 - config.replay))


def _with_tasks(
    stage: StageConfig, config: TaskStageConfig, tasks: tuple[TaskConfig, ...], share: float
) -> StageConfig:
    table = config.model_copy(update={"tasks": tasks})
    return with_steps(stage, stage.learning.num_steps * share, task=table)


def _score(scores: tuple[str, ...], groups: Mapping[str, Any]) -> str:
    """Return the first score that every group has; empty if there is none."""
    found = (score for score in scores if all(_has(group, score) for group in groups.values()))
    return next(found, "")


def _has(figures: Any, path: str) -> bool:
    for key in path.split("."):
        if not isinstance(figures, Mapping) or key not in figures:
            return False
        figures = figures[key]
    return isinstance(figures, int | float)


def _margin(score: str) -> float:
    return _POINT * (100 if score in _OF_HUNDRED else 1)


def _alone(task: TaskConfig) -> str:
    return f"{task.name} alone"


def _added(task: TaskConfig) -> str:
    return f"{task.name} added"
