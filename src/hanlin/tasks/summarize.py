"""Summaries led by keywords: first a plan of names, then a text that follows it.

    document <|keywords|> k1 <|sep|> k2 <|summary|> text

All after `<|keywords|>` is learnt, so that the model can plan by itself or be given the plan
(entity chains: Narayan et al. 2021, TACL; user keywords: He et al. 2020, arXiv 2012.04281). The
keywords stand in the order in which the summary first names them. That alone does not teach a model
to follow another order: it learns to say what is usual. So each story of the toy world is given
twice, once as it is, and once with keywords as a reader might change them and a summary told along
these; there the plan is only read, so that the model's own plans stay as they are. Words of a plan
that the document does not hold are struck out before the summary is written.

    python -m hanlin.tasks.summarize
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from hanlin.config import SamplingConfig
from hanlin.evaluation import rouge
from hanlin.tasks.base import Encoded, Measured, Task, answer_limit, greedy, write_answers
from hanlin.tasks.following import events_told, measure_following
from hanlin.tasks.keywords import find_keywords, keep_present, shared_keywords
from hanlin.tasks.sources import Record
from hanlin.text import find_language, short_language
from hanlin.text.world import edit_keywords, event_wordings, retell

if TYPE_CHECKING:
    from hanlin.generation import Engine
    from hanlin.text.world import Language, Story
    from hanlin.tokenizers import Tokenizer

__all__ = ["Abstract", "Plan", "Summarize", "write_plan", "write_summary"]

_PLAN_TOKENS = 48


@dataclass(frozen=True, slots=True)
class Abstract:
    """A document with its summary."""

    document: str
    summary: str
    keywords: tuple[str, ...]
    """In the order in which the summary names them."""
    language: str
    events: tuple[frozenset[str], ...] = ()
    """Of a toy-world story, the wordings of each event that the summary tells."""
    given: bool = False
    """Whether the keywords are a reader's, which the model has not to plan."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The keywords that a model chose for a document."""

    keywords: tuple[str, ...]
    """Those that the document holds."""
    invented: tuple[str, ...]
    """Those that it does not hold, which are struck out."""


class Summarize(Task[Abstract]):
    """Keyword-led summaries."""

    name = "summarize"
    control = ("<|keywords|>", "<|sep|>", "<|summary|>")

    def read(self, record: Record) -> Iterable[Abstract]:
        """Return the example of a record with `text`, `summary` and maybe `keywords`."""
        document, summary = record.text("text"), record.text("summary")
        language = short_language(find_language(document))
        if "keywords" in record:
            keywords = keep_present(record.texts("keywords"), document)
        else:
            keywords = shared_keywords(document, summary, language)
        return [Abstract(document, summary, keywords, language)]

    def invent(self, story: Story, language: Language, rng: random.Random) -> Iterable[Abstract]:
        """Return a story of the toy world with its summary."""
        words, events = story.keywords(language), event_wordings(story, language)
        return [Abstract(story.text(language), story.summary(language), words, language, events)]

    def drill(self, story: Story, language: Language, rng: random.Random) -> Iterable[Abstract]:
        """Return the story with keywords as a reader might change them, and its summary along."""
        words = edit_keywords(story, language, rng)
        summary = retell(story, words, language)
        return [Abstract(story.text(language), summary, words, language, given=True)] * bool(summary)

    def language(self, example: Abstract) -> str:
        """Return the document's language."""
        return example.language

    def encode(self, example: Abstract, tokenizer: Tokenizer) -> Encoded:
        """Return document, keywords and summary; the keywords are learnt unless they are given."""
        document = _document_ids(tokenizer, example.document)
        plan = _plan_ids(tokenizer, example.keywords)
        summary = [*tokenizer.encode(example.summary), tokenizer.eot_id]
        if example.given:
            return Encoded.of([*document, *plan], summary)
        return Encoded.of(document, [*plan, *summary])

    def measure(self, engine: Engine, examples: Sequence[Abstract]) -> Measured:
        """Return ROUGE of its own plans, and how it follows given ones, also when reversed."""
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
            "controls": {"first_sentence": {**_rouge(lead, examples), **events_told(lead, events)}},
        }
        return Measured(figures, own, references)


def write_plan(engine: Engine, document: str, language: str) -> Plan:
    """Return the keywords that a model plans a document's summary with."""
    tokenizer = engine.tokenizer
    prompt = _document_ids(tokenizer, document)
    done = engine.generate(prompt, greedy(_PLAN_TOKENS))
    return _read_plan(tokenizer, done.ids, document, language)


def write_summary(
    engine: Engine, document: str, keywords: Sequence[str], sampling: SamplingConfig
) -> str:
    """Return a summary that follows a plan."""
    tokenizer = engine.tokenizer
    prompt = [*_document_ids(tokenizer, document), *_plan_ids(tokenizer, keywords)]
    return engine.generate(prompt, sampling).text.strip()


def _write_plans(engine: Engine, examples: Sequence[Abstract]) -> list[Plan]:
    tokenizer = engine.tokenizer
    prompts = [_document_ids(tokenizer, example.document) for example in examples]
    written = write_answers(engine, prompts, _PLAN_TOKENS)
    return [
        _read_plan(tokenizer, ids, example.document, example.language)
        for ids, example in zip(written, examples, strict=True)
    ]


def _write(
    engine: Engine, examples: Sequence[Abstract], plans: Sequence[Sequence[str]]
) -> list[str]:
    tokenizer = engine.tokenizer
    prompts = [
        [*_document_ids(tokenizer, example.document), *_plan_ids(tokenizer, plan)]
        for example, plan in zip(examples, plans, strict=True)
    ]
    room = engine.model.config.context_length
    # A plan of the model's own may be longer than the one that the example fitted a row with.
    limit = answer_limit(tokenizer, (example.summary for example in examples))
    written = iter(write_answers(engine, [p for p in prompts if len(p) < room], limit))
    return [tokenizer.decode(next(written)).strip() if len(p) < room else "" for p in prompts]


def _document_ids(tokenizer: Tokenizer, document: str) -> list[int]:
    return [tokenizer.eot_id, *tokenizer.encode(document), tokenizer.control["<|keywords|>"]]


def _plan_ids(tokenizer: Tokenizer, keywords: Sequence[str]) -> list[int]:
    ids: list[int] = []
    for number, word in enumerate(keywords):
        ids += [tokenizer.control["<|sep|>"]] if number else []
        ids += tokenizer.encode(word)
    return [*ids, tokenizer.control["<|summary|>"]]


def _read_plan(tokenizer: Tokenizer, ids: Sequence[int], document: str, language: str) -> Plan:
    """Read a plan from what was written; without any word of the document, count its words."""
    ends = {tokenizer.control["<|summary|>"]}
    separator = tokenizer.control["<|sep|>"]
    words: list[list[int]] = [[]]
    for id in ids:
        if id in ends:
            break
        if id == separator:
            words.append([])
        else:
            words[-1].append(id)
    texts = [text for word in words if (text := tokenizer.decode(word).strip())]
    kept = keep_present(texts, document)
    invented = tuple(text for text in texts if not keep_present([text], document))
    return Plan(kept or find_keywords(document, language), invented)


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
    from hanlin.tokenizers import train_tokenizer

    bpe = train_tokenizer("bpe", ["小猫看见小狗。"] * 2, 345)
    encoded = Summarize().encode(Abstract("小猫看见小狗。", "小猫。", ("小猫",), "zh"), bpe)
    print(bpe.decode(encoded.ids, skip_control=False), encoded.learnt)
