"""Held-out text, encoded once, on which every model is measured alike.

python -m hanlin.evaluation.heldout
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from hanlin.text import Document
    from hanlin.tokenizers import Tokenizer

__all__ = ["HeldOutDocument", "encode_documents", "short_language"]

_BATCH = 256


@dataclass(frozen=True, slots=True)
class HeldOutDocument:
    """One document as tokens, with the sizes that its bits are divided by."""

    language: str
    """`zh`, `en` or another short name."""
    ids: NDArray[np.integer]
    """(T,) its tokens, without <|endoftext|>."""
    num_bytes: int
    """UTF-8 bytes of its text."""
    num_characters: int
    """Characters of its text."""
    lossless: bool
    """Whether the tokens give the text back; bits of a lossy encoding count too little."""


def encode_documents(
    tokenizer: Tokenizer, documents: Iterable[Document], *, tokens_per_language: int | None = None
) -> list[HeldOutDocument]:
    """Encode held-out documents, in their order.

    With `tokens_per_language`, no further document of a language is taken once that many tokens
    of it are there. Documents without a token are left out.
    """
    limit = math.inf if tokens_per_language is None else tokens_per_language
    taken: Counter[str] = Counter()
    encoded: list[HeldOutDocument] = []
    source = iter(documents)
    while batch := list(islice(source, _BATCH)):
        wanted = [
            document for document in batch if taken[short_language(document.language)] < limit
        ]
        ids_of = tokenizer.encode_batch([document.text for document in wanted])
        for document, ids in zip(wanted, ids_of, strict=True):
            language = short_language(document.language)
            if len(ids) and taken[language] < limit:
                taken[language] += len(ids)
                encoded.append(_describe(document.text, language, ids, tokenizer))
    return encoded


def short_language(language: str) -> str:
    """Return the name that results are grouped by: both Chinese scripts are `zh`.

    >>> short_language("zh-Hant"), short_language("en")
    ('zh', 'en')
    """
    return "zh" if language.startswith("zh") else language


def _describe(
    text: str, language: str, ids: NDArray[np.integer], tokenizer: Tokenizer
) -> HeldOutDocument:
    return HeldOutDocument(
        language=language,
        ids=ids,
        num_bytes=len(text.encode("utf-8")),
        num_characters=len(text),
        lossless=tokenizer.decode(ids.tolist()) == text,
    )


if __name__ == "__main__":
    print(short_language("zh-Hans"), short_language("en"))
