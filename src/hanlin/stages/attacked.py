"""How the classifiers of a task stage fare under attack, once they are taught.

Attacked are examples that were kept apart, by each family that the stage names, whether it was
trained on or held out. Nothing is claimed by that: what training against attacks has gained shows
beside a stage that is the same but for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hanlin.attacks import CHINESE, ENGLISH, Budget, Victim
from hanlin.config import AdversarialConfig, AttackFamily
from hanlin.evaluation import measure_robustness
from hanlin.tasks import HeadVictim, LabelVictim, TaskSet
from hanlin.tasks.classify import Classify, Labelled

if TYPE_CHECKING:
    from hanlin.models import Decoder, ReleasedHead
    from hanlin.stages.context import StageContext
    from hanlin.stages.heads import Heads

__all__ = ["measure_attacked"]


def measure_attacked(
    context: StageContext,
    model: Decoder,
    sets: Sequence[TaskSet],
    heads: Heads,
    taught: Sequence[ReleasedHead],
) -> dict[str, Any]:
    """Return, by task and group, accuracy clean and under attack; empty where none is asked."""
    task = context.stage.task
    config = task.adversarial if task else None
    if config is None or not config.measured:
        return {}
    found: dict[str, dict[str, Any]] = {}
    for name, group, victim, examples in _subjects(context, model, sets, heads, taught):
        chosen = [
            (one.text, one.label)
            for one in examples
            if not one.text2 and one.label in victim.labels and victim.fits(one.text)
        ][: config.measured]
        if chosen:
            report = measure_robustness(
                victim,
                chosen,
                _attacks(config, examples[0].language),
                Budget(config.budget),
                seed=context.recipe.seed,
            )
            figures = report.as_dict()
            for family, measured in figures["by_attack"].items():
                known = family == "trained" or family in config.families
                measured["trained_on"] = known and config.rewrites
            found.setdefault(name, {})[group.replace(".", "_")] = figures
    return found


def _attacks(config: AdversarialConfig, language: str) -> Mapping[str, Sequence[AttackFamily]]:
    """Return the families that the recipe names, or all those of a language: alone and together."""
    sets: dict[str, Sequence[AttackFamily]] = {
        "trained": config.families,
        "held_out": config.held_out,
        "together": CHINESE if language == "zh" else ENGLISH,
    }
    chosen = {name: sets[name] for name in config.measured_sets}
    found: dict[str, Sequence[AttackFamily]] = {
        family: (family,) for families in chosen.values() for family in families
    }
    return found | chosen


def _subjects(
    context: StageContext,
    model: Decoder,
    sets: Sequence[TaskSet],
    heads: Heads,
    taught: Sequence[ReleasedHead],
) -> Iterator[tuple[str, str, Victim, Sequence[Labelled]]]:
    """Yield each classifier with a group of examples that were kept apart."""
    for task in sets:
        if isinstance(task.task, Classify):
            victim = LabelVictim(model, context.tokenizer, sorted(task.answers))
            for group, examples in task.held_out.items():
                yield task.config.name, group, victim, examples
    for one, released in zip(heads.sets, taught, strict=True):
        nodes = HeadVictim(model, context.tokenizer, released)
        for language, texts in one.held_out.items():
            yield released.name, language, nodes, texts
