"""How a model does at summaries: by its own plans, by given ones, reversed ones, and at length.

    figures = measure_summaries(engine, examples).figures
    figures["rouge_1"], figures["swapped"]["followed"], figures["long"]["rouge_1"]

Controls: the document's first sentence; of a long document, the summary of the part that the
context holds.

    python -m hanlin.tasks.summaries
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from hanlin.evaluation import rouge
from hanlin.tasks.base import Measured, answer_limit, write_answers
from hanlin.tasks.following import events_told, measure_following
from hanlin.tasks.parts import join_summaries
from hanlin.tasks.plans import (
    PLAN_TOKENS,
    Abstract,
    Plan,
    document_ids,
    plan_ids,
    read_plan,
    split_for,
)

if TYPE_CHECKING:
    from hanlin.generation import Engine

__all__ = ["measure_summaries"]

_LONG = 4
"""Documents that make up a long one, where long ones are measured."""


def measure_summaries(engine: Engine, examples: Sequence[Abstract]) -> Measured:
    """Return the figures of summaries of examples in one language."""
    long = _LongDocuments.of(engine, examples)
    plans = _write_plans(engine, [*examples, *long.parts])
    plans, long_plans = plans[: len(examples)], plans[len(examples) :]
    natural = [example.keywords for example in examples]
    reversed_words = [words[::-1] for words in natural]
    own, given, swapped, merged = _write_groups(
        engine,
        [
            (examples, [plan.keywords for plan in plans]),
            (examples, natural),
            (examples, reversed_words),
            (long.parts, [plan.keywords for plan in long_plans]),
        ],
    )
    events = [example.events for example in examples]
    references = [example.summary for example in examples]
    lead = [_first_sentence(example.document) for example in examples]
    chosen = sum(len(plan.keywords) + len(plan.invented) for plan in plans)
    figures = {
        "examples": len(examples),
        "exact": fmean(a == b for a, b in zip(own, references, strict=True)),
        **_rouge(own, examples),
        **events_told(own, events),
        "invented_keywords": sum(len(p.invented) for p in plans) / chosen if chosen else None,
        "given": {
            **_rouge(given, examples),
            **measure_following(given, natural),
            **events_told(given, events),
        },
        "swapped": {
            **measure_following(swapped, reversed_words),
            **events_told(swapped, events),
        },
        **long.measure(merged),
        "controls": {"first_sentence": {**_rouge(lead, examples), **events_told(lead, events)}},
    }
    return Measured(figures, own, references)


@dataclass(frozen=True)
class _LongDocuments:
    """Documents that are several joined, their references the summaries joined."""

    wholes: Sequence[Abstract]
    cut: Sequence[Sequence[str]]
    """The parts that each is cut into, since the context does not hold it."""

    @classmethod
    def of(cls, engine: Engine, examples: Sequence[Abstract]) -> _LongDocuments:
        """Join examples of one language; of too few there is no long document."""
        groups = [examples[n : n + _LONG] for n in range(0, len(examples) - _LONG + 1, _LONG)]
        wholes = [
            Abstract(
                "\n".join(example.document for example in group),
                join_summaries([example.summary for example in group], group[0].language),
                (),
                group[0].language,
                tuple(event for example in group for event in example.events),
            )
            for group in groups
        ]
        return cls(wholes, [split_for(engine, whole.document) for whole in wholes])

    @property
    def parts(self) -> list[Abstract]:
        """Return each part as a document, with the summary of the whole."""
        return [
            Abstract(part, whole.summary, (), whole.language)
            for whole, found in zip(self.wholes, self.cut, strict=True)
            for part in found
        ]

    def measure(self, summaries: Sequence[str]) -> dict[str, Any]:
        """Return the figures of the parts' summaries joined, beside those of the first parts."""
        if not self.wholes:
            return {}
        written = iter(summaries)
        texts = [[next(written) for _ in found] for found in self.cut]
        merged = [join_summaries(each, self.wholes[0].language) for each in texts]
        first = [each[0] for each in texts]
        events = [whole.events for whole in self.wholes]
        return {
            "long": {
                "examples": len(self.wholes),
                "parts": sum(map(len, self.cut)) / len(self.wholes),
                **_rouge(merged, self.wholes),
                **events_told(merged, events),
                "first_part": {**_rouge(first, self.wholes), **events_told(first, events)},
            }
        }


def _write_plans(engine: Engine, examples: Sequence[Abstract]) -> list[Plan]:
    tokenizer = engine.tokenizer
    prompts = [document_ids(tokenizer, example.document) for example in examples]
    written = write_answers(engine, prompts, PLAN_TOKENS)
    return [
        read_plan(tokenizer, ids, example.document, example.language)
        for ids, example in zip(written, examples, strict=True)
    ]


def _write_groups(
    engine: Engine, groups: Sequence[tuple[Sequence[Abstract], Sequence[Sequence[str]]]]
) -> list[list[str]]:
    """Return the summaries of several groups of documents with a plan each, all written at once.

    The likeliest text does not change where more could follow, so each group's is cut to its limit.
    """
    tokenizer, room = engine.tokenizer, engine.model.config.context_length
    prompts = [
        [
            [*document_ids(tokenizer, example.document), *plan_ids(tokenizer, plan)]
            for example, plan in zip(examples, plans, strict=True)
        ]
        for examples, plans in groups
    ]
    limits = [
        answer_limit(tokenizer, [example.summary for example in examples]) if examples else 0
        for examples, _ in groups
    ]
    # A plan of the model's own may be longer than the one that the example fitted a row with.
    fitting = [prompt for group in prompts for prompt in group if len(prompt) < room]
    written = iter(write_answers(engine, fitting, max(limits)))
    return [
        [
            tokenizer.decode(next(written)[:limit]).strip() if len(prompt) < room else ""
            for prompt in group
        ]
        for group, limit in zip(prompts, limits, strict=True)
    ]


def _first_sentence(document: str) -> str:
    for place, character in enumerate(document):
        if character in "。！？!?" or document[place : place + 2] in (". ", ".\n"):
            return document[: place + 1]
    return document


def _rouge(texts: Sequence[str], examples: Sequence[Abstract]) -> dict[str, float]:
    scores = [
        rouge(text, example.summary, example.language)
        for text, example in zip(texts, examples, strict=True)
    ]
    return {name: fmean(score[name] for score in scores) for name in scores[0]}


if __name__ == "__main__":
    print(_first_sentence("小猫看见小狗。小狗跑了。"))
