"""A document, the plan of keywords behind it, and the summary that follows the plan, in tokens.

    document <|keywords|> k1 <|sep|> k2 <|summary|> text

Words of a plan that the document does not hold are struck out before the summary is written.

    python -m hanlin.tasks.plans
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hanlin.config import SamplingConfig
from hanlin.tasks.base import greedy, running_ids
from hanlin.tasks.keywords import find_keywords, keep_present
from hanlin.tasks.parts import split_document

if TYPE_CHECKING:
    from hanlin.generation import Engine
    from hanlin.tokenizers import Tokenizer

__all__ = [
    "PLAN_TOKENS",
    "Abstract",
    "Plan",
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


def split_for(engine: Engine, document: str) -> list[str]:
    """Cut a document into parts that leave room for a plan and a summary in the context."""
    context = engine.model.config.context_length
    most = context - min(PLAN_TOKENS, context // 4) - context // 4 - 2

    def length(text: str) -> int:
        return len(running_ids(engine.tokenizer, text))

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
    return [tokenizer.eot_id, *running_ids(tokenizer, document), tokenizer.control["<|keywords|>"]]


def plan_ids(tokenizer: Tokenizer, keywords: Sequence[str]) -> list[int]:
    """Return a plan up to where the summary begins."""
    ids: list[int] = []
    for number, word in enumerate(keywords):
        ids += [tokenizer.control["<|sep|>"]] if number else []
        ids += running_ids(tokenizer, word)  # the tokens that the document has
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
    print(bpe.decode(plan_ids(bpe, ["小猫", "小狗"]), skip_control=False))
