"""Tasks that write under attack: how far the figures of a task fall when its input is rewritten.

Each input is rewritten some times at random within a budget. The model is measured on the first
rewriting (`chance`), and on the one after which it finds the right answer least likely (`worst`).
The right answer stays what it was, since a reader still understands the input.

    attack_task(engine, TASKS["translate"], pairs, ["typing"], Budget(0.2, 8), seed=1)
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from hanlin.attacks import Budget, rewrite_text
from hanlin.config import AttackFamily
from hanlin.tasks.base import Task

if TYPE_CHECKING:
    from hanlin.generation import Engine

__all__ = ["attack_task"]

E = TypeVar("E")


def attack_task(
    engine: Engine,
    task: Task[E],
    examples: Sequence[E],
    families: Sequence[AttackFamily],
    budget: Budget,
    *,
    seed: int,
) -> dict[str, Any]:
    """Return a task's figures on examples as they are, rewritten by chance, and at their worst.

    `budget.queries` is how many rewritings of an example the model is asked about.
    """
    chance: list[E] = []
    worst: list[E] = []
    for number, example in enumerate(examples):
        rng = random.Random(f"{seed}/{number}/{'+'.join(families)}")
        tried = [_rewritten(task, example, families, budget, rng) for _ in range(budget.queries)]
        asked = ((_loss(engine, task, one), one) for one in tried)
        fitting = [(loss, one) for loss, one in asked if loss is not None]
        chance.append(fitting[0][1] if fitting else example)
        worst.append(max(fitting, key=lambda pair: pair[0])[1] if fitting else example)
    groups = {"clean": examples, "chance": chance, "worst": worst}
    figures = {name: dict(task.measure(engine, group).figures) for name, group in groups.items()}
    changed = sum(a != b for a, b in zip(examples, worst, strict=True))
    return {"families": list(families), "rewritten": changed, **figures}


def _rewritten(
    task: Task[E],
    example: E,
    families: Sequence[AttackFamily],
    budget: Budget,
    rng: random.Random,
) -> E:
    return task.rewrite(example, lambda text: rewrite_text(text, families, budget.changed, rng))


def _loss(engine: Engine, task: Task[E], example: E) -> float | None:
    """Return the loss of the right answer in nats; None where the model cannot read it all."""
    encoded = task.encode(example, engine.tokenizer)
    if len(encoded.ids) > engine.model.config.context_length:
        return None
    logprobs = engine.logprobs(encoded.ids)
    return -sum(value for value, learnt in zip(logprobs, encoded.learnt[1:], strict=True) if learnt)
