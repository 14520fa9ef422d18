"""Prompts from held-out documents, with the human text that followed, and what a model writes.

A prompt is the beginning of a document, cut where a character ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hanlin.config import GenerateConfig, SamplingConfig
from hanlin.errors import DataError
from hanlin.evaluation import Continuation, short_language
from hanlin.generation import Engine
from hanlin.text import Split, iterate_documents
from hanlin.tokenizers import Tokenizer

__all__ = [
    "PassageSource",
    "Passages",
    "check_passages",
    "continue_passages",
    "take_passages",
    "too_short",
]

Passages = Mapping[str, Sequence[Continuation]]
"""Human continuations by language."""


@dataclass(frozen=True, slots=True)
class PassageSource:
    """Where passages come from."""

    corpus: Path
    parts: Sequence[str]
    tokenizer: Tokenizer


_FEWEST = 2
_CLEAN = 8
"""Tokens after which a prompt that breaks a character is given up."""


def take_passages(
    source: PassageSource,
    split: Split,
    *,
    prompts: int,
    prompt_tokens: int,
    max_tokens: int,
    room: int,
) -> Passages:
    """Return the first long enough documents of each language as prompts with what follows.

    Both together fit into a context of `room` tokens.
    """
    found: dict[str, list[Continuation]] = {}
    for language, text in _texts(source, split):
        group = found.setdefault(language, [])
        if len(group) < prompts:
            group.extend(_cut(source.tokenizer, text, prompt_tokens, max_tokens, room))
    return {language: group for language, group in found.items() if len(group) >= _FEWEST}


def check_passages(source: PassageSource, stage: str, config: GenerateConfig, room: int) -> None:
    """Check that a generate stage will find prompts, reading no further than it must.

    Raises:
        DataError: no language has two of them, on validation or on test text.
    """
    for split in ("validation", "test"):
        counts: Counter[str] = Counter()
        for language, text in _texts(source, split):
            sizes = (config.prompt_tokens, config.max_tokens, room)
            counts[language] += len(list(_cut(source.tokenizer, text, *sizes)))
            if counts[language] == _FEWEST:
                break
        else:
            raise too_short(source, stage, split)


def too_short(source: PassageSource, stage: str, split: Split) -> DataError:
    """Return the error that a generate stage's documents are too short."""
    return DataError(
        f"The stage {stage!r} finds no two {split} documents in the parts {list(source.parts)} "
        "that are long enough for prompts. Name parts with more text, or lower "
        "generate.prompt_tokens and generate.max_tokens."
    )


def _texts(source: PassageSource, split: Split) -> Iterator[tuple[str, str]]:
    for part in source.parts:
        for document in iterate_documents(source.corpus, part, split):
            yield short_language(document.language), document.text


def continue_passages(
    engine: Engine, passages: Passages, sampling: SamplingConfig
) -> dict[str, list[Continuation]]:
    """Return what a model writes after the prompts of passages."""
    flat = [(language, passage) for language, group in passages.items() for passage in group]
    eot_id = engine.tokenizer.eot_id
    completions = engine.generate_batch([[eot_id, *p.prompt] for _, p in flat], sampling)
    written: dict[str, list[Continuation]] = {language: [] for language in passages}
    for (language, passage), done in zip(flat, completions, strict=True):
        written[language].append(Continuation(passage.prompt, done.ids, done.text))
    return written


def _cut(
    tokenizer: Tokenizer, text: str, prompt_tokens: int, most: int, room: int
) -> Iterator[Continuation]:
    max_tokens = min(most, room - prompt_tokens - _CLEAN - 1)
    ids = tokenizer.encode(text)
    for length in range(prompt_tokens, prompt_tokens + _CLEAN):
        rest = ids[length : length + max_tokens]
        if len(rest) < max(1, max_tokens // 2):
            return
        if "\ufffd" not in tokenizer.decode(ids[:length]):
            yield Continuation(ids[:length], rest, tokenizer.decode(rest).rstrip("\ufffd"))
            return
