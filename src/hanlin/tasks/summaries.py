"""How a model does at summaries: by its own plans, by given ones, reversed ones, and at length.

    figures = measure_summaries(engine, examples).figures
    figures["rouge_1"], figures["swapped"]["followed"], figures["long"]["rouge_1"]

Controls: the document's first sentence; of a long document, the summary of the part that the
context holds.

    python -m hanlin.tasks.summaries
"""

from __future__ import annotations

from collections.abc import Sequence
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
    plans = _write_plans(engine, examples)
    own = _write(engine, examples, [plan.keywords for plan in plans])
    natural = [example.keywords for example in examples]
    given = _write(engine, examples, natural)
    reversed_words = [words[::-1] for words in natural]
    swapped = _write(engine, examples, reversed_words)
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
        **_measure_long(engine, examples),
        "controls": {"first_sentence": {**_rouge(lead, examples), **events_told(lead, events)}},
    }
    return Measured(figures, own, references)


def _measure_long(engine: Engine, examples: Sequence[Abstract]) -> dict[str, Any]:
    """Measure summaries of long documents, beside that of the part which the context holds.

    A long document is several joined, and its reference their summaries joined.
    """
    groups = [examples[n : n + _LONG] for n in range(0, len(examples) - _LONG + 1, _LONG)]
    if not groups:
        return {}
    language = examples[0].language
    wholes = [
        Abstract(
            "\n".join(example.document for example in group),
            join_summaries([example.summary for example in group], language),
            (),
            language,
            tuple(event for example in group for event in example.events),
        )
        for group in groups
    ]
    cut = [split_for(engine, whole.document) for whole in wholes]
    parts = [
        Abstract(part, whole.summary, (), language)
        for whole, found in zip(wholes, cut, strict=True)
        for part in found
    ]
    plans = _write_plans(engine, parts)
    written = iter(_write(engine, parts, [plan.keywords for plan in plans]))
    texts = [[next(written) for _ in found] for found in cut]
    merged = [join_summaries(each, language) for each in texts]
    first = [each[0] for each in texts]
    events = [whole.events for whole in wholes]
    return {
        "long": {
            "examples": len(wholes),
            "parts": len(parts) / len(wholes),
            **_rouge(merged, wholes),
            **events_told(merged, events),
            "first_part": {**_rouge(first, wholes), **events_told(first, events)},
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


def _write(
    engine: Engine, examples: Sequence[Abstract], plans: Sequence[Sequence[str]]
) -> list[str]:
    tokenizer = engine.tokenizer
    prompts = [
        [*document_ids(tokenizer, example.document), *plan_ids(tokenizer, plan)]
        for example, plan in zip(examples, plans, strict=True)
    ]
    room = engine.model.config.context_length
    # A plan of the model's own may be longer than the one that the example fitted a row with.
    limit = answer_limit(tokenizer, (example.summary for example in examples))
    written = iter(write_answers(engine, [p for p in prompts if len(p) < room], limit))
    return [tokenizer.decode(next(written)).strip() if len(p) < room else "" for p in prompts]


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
