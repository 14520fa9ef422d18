"""Prompts from held-out documents, with the human text that followed, and what a model writes.

A prompt is the beginning of a document, cut where a character ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hanlin.config import SamplingConfig
from hanlin.evaluation import Continuation, short_language
from hanlin.generation import Engine
from hanlin.stages.context import StageContext
from hanlin.text import Split, iterate_documents
from hanlin.tokenizers import Tokenizer

__all__ = ["Passages", "continue_passages", "take_passages"]

Passages = Mapping[str, Sequence[Continuation]]
"""Human continuations by language."""

_FEWEST = 2
_CLEAN = 8
"""Tokens after which a prompt that breaks a character is given up."""


def take_passages(
    context: StageContext,
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
    limit = min(max_tokens, room - prompt_tokens - _CLEAN - 1)
    found: dict[str, list[Continuation]] = {}
    for part in context.parts:
        for document in iterate_documents(context.corpus, part, split):
            group = found.setdefault(short_language(document.language), [])
            if len(group) < prompts:
                group.extend(_cut(context.tokenizer, document.text, prompt_tokens, limit))
    return {language: group for language, group in found.items() if len(group) >= _FEWEST}


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
    tokenizer: Tokenizer, text: str, prompt_tokens: int, max_tokens: int
) -> Iterator[Continuation]:
    ids = tokenizer.encode(text)
    for length in range(prompt_tokens, prompt_tokens + _CLEAN):
        rest = ids[length : length + max_tokens]
        if len(rest) < max(1, max_tokens // 2):
            return
        if "\ufffd" not in tokenizer.decode(ids[:length]):
            yield Continuation(ids[:length], rest, tokenizer.decode(rest).rstrip("\ufffd"))
            return
