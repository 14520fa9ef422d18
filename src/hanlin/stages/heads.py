"""The heads of a task stage: gathered, trained with everything else, calibrated and measured.

heads = Heads.gather(context, config, core, length)
with heads.on(module):                      # they are a part of the decoder while it learns
    learn(context, module, heads.objective(config, answers), order)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hanlin.config import TaskStageConfig
from hanlin.models import (
    ClassifierHead,
    Decoder,
    ReleasedHead,
    attach_heads,
    build_head,
    detach_heads,
    list_heads,
    read_head,
)
from hanlin.models.expansion import choose_expansion
from hanlin.objectives import Answers, Attackable, Labels
from hanlin.stages.context import StageContext
from hanlin.tasks import LabelSet, calibrate_head, gather_labels, measure_head

__all__ = ["Heads"]


@dataclass(frozen=True)
class Heads:
    """The labelled texts of a stage, and the heads that learn from them."""

    sets: Sequence[LabelSet]
    heads: Sequence[ClassifierHead]
    vocab_size: int

    @classmethod
    def gather(
        cls, context: StageContext, config: TaskStageConfig, core: Decoder, length: int
    ) -> Heads:
        """Read the texts of each task with a head, and lay out its head."""
        sets: list[LabelSet] = []
        first = core.config.vocab_size
        for task in config.tasks:
            if task.head is not None:
                found = gather_labels(
                    task, context.tokenizer, length, num_held_out=config.held_out, first=first
                )
                first += len(found.labels)
                sets.append(found)
                _say(context, found)
        heads = [
            build_head(core.config, head, one.labels, seed=context.recipe.seed)
            for head, one in zip(config.heads.values(), sets, strict=True)
        ]
        return cls(sets, heads, core.config.vocab_size)

    @contextmanager
    def on(self, model: Decoder) -> Iterator[None]:
        """Make the heads a part of a decoder for a while."""
        if not self.heads:
            yield
            return
        attach_heads(model, self.heads)
        try:
            yield
        finally:
            detach_heads(model)

    def objective(self, config: TaskStageConfig, answers: Answers) -> Attackable[Any]:
        """Return what a step minimises: that of the answers, and of labels if there are heads."""
        if not self.sets:
            return answers
        alone = len(self.sets) == len(config.tasks) and not config.replayed
        weights = [_class_weights(one) for one in self.sets]
        counts = [1.0 if alone else head.config.counts for head in self.heads]
        return Labels(answers, vocab_size=self.vocab_size, class_weights=weights, counts=counts)

    def measure(self, context: StageContext, model: Decoder, length: int) -> list[ReleasedHead]:
        """Fit each head's temperature, and measure it on what was kept apart."""
        return [
            _measure(context, model, one, head.to(model.embedding.weight.device), length)
            for one, head in zip(self.sets, self.heads, strict=True)
        ]

    def released(
        self,
        context: StageContext,
        config: TaskStageConfig,
        model: Decoder,
        taught: Sequence[ReleasedHead],
    ) -> list[ReleasedHead]:
        """Return the heads of the release: those taught, and older ones if nothing else learnt."""
        start = context.start
        if start is None or config.method != "frozen" or choose_expansion(start, None):
            return list(taught)
        names = set(list_heads(start)) - {one.name for one in taught}
        return [*taught, *(read_head(start, name, model.config) for name in sorted(names))]


def _measure(
    context: StageContext, model: Decoder, one: LabelSet, head: ClassifierHead, length: int
) -> ReleasedHead:
    tokenizer, name = context.tokenizer, one.config.name
    temperature = calibrate_head(model, tokenizer, head, one.calibration, length)
    bare = ReleasedHead(name, head, temperature, length)
    commonest = one.labels[one.counts.index(max(one.counts))]
    figures = {
        "examples": sum(one.counts),
        "labels": dict(zip(one.labels, one.counts, strict=True)),
        "cut": one.cut,
        "skipped": dict(one.skipped),
        "calibrated_on": len(one.calibration),
        "temperature": temperature,
        "after": {
            language: measure_head(model, tokenizer, bare, examples, commonest)
            for language, examples in one.held_out.items()
        },
    }
    return ReleasedHead(name, head, temperature, length, figures)


def _class_weights(one: LabelSet) -> list[float]:
    """Return what each label counts: 1, or n / (K n_k) where they are balanced."""
    assert one.config.head is not None
    if not one.config.head.balance:
        return [1.0] * len(one.labels)
    return [sum(one.counts) / (len(one.counts) * count) for count in one.counts]


def _say(context: StageContext, one: LabelSet) -> None:
    test = sum(map(len, one.held_out.values()))
    notes = {"cut to a row": one.cut, **{f"{k}, skipped": n for k, n in one.skipped.items()}}
    counted = "".join(f", {count:,} {what}" for what, count in notes.items() if count)
    context.say(
        f"Task {one.config.name}: {sum(one.counts):,} texts with {len(one.labels)} labels, "
        f"{len(one.calibration):,} for the temperature, {test:,} kept apart{counted}"
    )
