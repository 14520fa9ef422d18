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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hanlin.config import SamplingConfig
from hanlin.tasks.base import Encoded, Measured, Task, greedy
from hanlin.tasks.keywords import find_keywords, keep_present, shared_keywords
from hanlin.tasks.languages import known_language
from hanlin.tasks.parts import split_document
from hanlin.tasks.sources import Record
from hanlin.text.world import edit_keywords, event_wordings, retell

if TYPE_CHECKING:
    from hanlin.generation import Engine
    from hanlin.text.world import Language, Story
    from hanlin.tokenizers import Tokenizer

__all__ = [
    "PLAN_TOKENS",
    "Abstract",
    "Plan",
    "Summarize",
    "document_ids",
    "plan_ids",
    "read_plan",
    "split_for",
    "write_plan",
    "write_summary",
]

PLAN_TOKENS = 48


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
    scores = ("rouge_l",)
    bars: Mapping[str, float] = {"events": 0.9, "given.kendall_tau": 0.9, "swapped.followed": 0.8}

    def read(self, record: Record) -> Iterable[Abstract]:
        """Return the example of a record with `text`, `summary` and maybe `keywords`."""
        document, summary = record.text("text"), record.text("summary")
        language = known_language(document, record.place)
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
        return [Abstract(story.text(language), summary, words, language, given=True)] * bool(
            summary
        )

    def rewrite(self, example: Abstract, change: Callable[[str], str]) -> Abstract:
        """Return a document that is changed; the given plan stays."""
        return replace(example, document=change(example.document))

    def language(self, example: Abstract) -> str:
        """Return the document's language."""
        return example.language

    def encode(self, example: Abstract, tokenizer: Tokenizer) -> Encoded:
        """Return document, keywords and summary; the keywords are learnt unless they are given."""
        document = document_ids(tokenizer, example.document)
        plan = plan_ids(tokenizer, example.keywords)
        summary = [*tokenizer.encode(example.summary), tokenizer.eot_id]
        if example.given:
            return Encoded.of([*document, *plan], summary)
        return Encoded.of(document, [*plan, *summary])

    def measure(self, engine: Engine, examples: Sequence[Abstract]) -> Measured:
        """Return ROUGE of its own plans, and how it follows given ones, also when reversed."""
        from hanlin.tasks.summaries import measure_summaries

        return measure_summaries(engine, examples)


def split_for(engine: Engine, document: str) -> list[str]:
    """Cut a document into parts that leave room for a plan and a summary in the context."""
    context = engine.model.config.context_length
    most = context - min(PLAN_TOKENS, context // 4) - context // 4 - 2

    def length(text: str) -> int:
        return len(engine.tokenizer.encode(text))

    parts = [part.strip() for part in split_document(document, most, length)]
    return [part for part in parts if part]


def write_plan(engine: Engine, document: str, language: str) -> Plan:
    """Return the keywords that a model plans a document's summary with."""
    tokenizer = engine.tokenizer
    prompt = document_ids(tokenizer, document)
    done = engine.generate(prompt, greedy(PLAN_TOKENS))
    return read_plan(tokenizer, done.ids, document, language)


def write_summary(
    engine: Engine, document: str, keywords: Sequence[str], sampling: SamplingConfig
) -> str:
    """Return a summary that follows a plan."""
    tokenizer = engine.tokenizer
    prompt = [*document_ids(tokenizer, document), *plan_ids(tokenizer, keywords)]
    return engine.generate(prompt, sampling).text.strip()


def document_ids(tokenizer: Tokenizer, document: str) -> list[int]:
    """Return what stands before a plan."""
    return [tokenizer.eot_id, *tokenizer.encode(document), tokenizer.control["<|keywords|>"]]


def plan_ids(tokenizer: Tokenizer, keywords: Sequence[str]) -> list[int]:
    """Return a plan up to where the summary begins."""
    ids: list[int] = []
    for number, word in enumerate(keywords):
        ids += [tokenizer.control["<|sep|>"]] if number else []
        # In a sentence an English word has a space before it, which is a part of its first token.
        # Only so is it the same token that the document has, and not another spelling to learn.
        ids += tokenizer.encode(f" {word}" if word.isascii() else word)
    return [*ids, tokenizer.control["<|summary|>"]]


def read_plan(tokenizer: Tokenizer, ids: Sequence[int], document: str, language: str) -> Plan:
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


if __name__ == "__main__":
    from hanlin.tokenizers import train_tokenizer

    bpe = train_tokenizer("bpe", ["小猫看见小狗。"] * 2, 345)
    encoded = Summarize().encode(Abstract("小猫看见小狗。", "小猫。", ("小猫",), "zh"), bpe)
    print(bpe.decode(encoded.ids, skip_control=False), encoded.learnt)
