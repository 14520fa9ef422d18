"""Bits per byte: how well a model predicts held-out text, whatever its tokens are.

    bits per byte = sum of -log2 p(token | all before it) / UTF-8 bytes of the text

Tokens differ between models, bytes do not. A Chinese character takes three bytes in UTF-8, so bits
per character stand beside. Every token is scored once, after <|endoftext|> at a document's start.

    python -m hanlin.evaluation.bits
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hanlin.errors import DataError
from hanlin.evaluation.heldout import HeldOutDocument
from hanlin.evaluation.intervals import Interval, bootstrap_ratio
from hanlin.evaluation.scorers import Scorer

__all__ = ["Bits", "BitsReport", "Saving", "bits_per_byte", "bits_saved"]

_GROUP_TOKENS = 2**18  # scored in one call, so that a scorer's memory stays bounded


@dataclass(frozen=True, slots=True)
class Bits:
    """What it takes to write some documents down with a model."""

    documents: int
    lossy_documents: int
    """Documents that their tokens do not give back; above 0, the bits are not comparable."""
    tokens: int
    bytes: int
    characters: int
    bits: float
    by_document: tuple[float, ...] = field(repr=False)
    """Bits of each document, for paired comparisons."""
    document_bytes: tuple[int, ...] = field(repr=False)
    """Bytes of each document."""

    @property
    def bits_per_byte(self) -> float:
        """Bits divided by UTF-8 bytes."""
        return self.bits / self.bytes

    @property
    def bits_per_character(self) -> float:
        """Bits divided by characters."""
        return self.bits / self.characters

    def as_dict(self) -> dict[str, Any]:
        """Return the measures and sizes, without those of single documents."""
        return {
            "bits_per_byte": self.bits_per_byte,
            "bits_per_character": self.bits_per_character,
            "documents": self.documents,
            "lossy_documents": self.lossy_documents,
            "tokens": self.tokens,
            "bytes": self.bytes,
            "characters": self.characters,
        }


@dataclass(frozen=True, slots=True)
class BitsReport:
    """Bits over all documents and by language."""

    overall: Bits
    by_language: Mapping[str, Bits]

    @property
    def bits_per_byte(self) -> float:
        """Bits per byte over all documents."""
        return self.overall.bits_per_byte

    def as_dict(self) -> dict[str, Any]:
        """Return the overall measures, and under `by_language` each language's."""
        by_language = {name: bits.as_dict() for name, bits in self.by_language.items()}
        return {**self.overall.as_dict(), "by_language": by_language}


@dataclass(frozen=True, slots=True)
class Saving:
    """How many bits one model saves of another's on the same documents."""

    value: float
    """1 - ours / theirs: 0.08 means eight per cent fewer bits."""
    interval: Interval
    """95 % paired bootstrap over documents."""

    def as_dict(self) -> dict[str, float]:
        """Return value and bounds."""
        return {"value": self.value, **self.interval._asdict()}


def bits_per_byte(scorer: Scorer, documents: Sequence[HeldOutDocument]) -> BitsReport:
    """Score held-out documents (of `encode_documents`) and return their bits by language."""
    if not documents:
        raise DataError("No held-out document to measure. Check the corpus and its test split.")
    bits = _score_in_groups(scorer, documents)
    languages = sorted({document.language for document in documents})
    by_language = {
        language: _summarise(
            [(d, b) for d, b in zip(documents, bits, strict=True) if d.language == language]
        )
        for language in languages
    }
    return BitsReport(_summarise(list(zip(documents, bits, strict=True))), by_language)


def bits_saved(ours: Bits, theirs: Bits, rng: np.random.Generator) -> Saving:
    """Compare two models' bits on the same documents, with a paired bootstrap interval."""
    if ours.document_bytes != theirs.document_bytes:
        raise DataError("Bits can only be compared on the same documents in the same order.")
    ratio = bootstrap_ratio(ours.by_document, theirs.by_document, rng)
    return Saving(1 - ours.bits / theirs.bits, Interval(1 - ratio.high, 1 - ratio.low))


def _score_in_groups(scorer: Scorer, documents: Sequence[HeldOutDocument]) -> list[float]:
    ends = np.cumsum([len(document.ids) for document in documents])
    bits: list[float] = []
    while len(bits) < len(documents):
        start = len(bits)
        taken = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, taken + _GROUP_TOKENS, side="right")))
        scores = scorer.score([document.ids for document in documents[start:stop]])
        bits.extend(-float(score.sum()) / math.log(2) for score in scores)
    return bits


def _summarise(scored: Sequence[tuple[HeldOutDocument, float]]) -> Bits:
    documents = [document for document, _ in scored]
    return Bits(
        documents=len(documents),
        lossy_documents=sum(not document.lossless for document in documents),
        tokens=sum(len(document.ids) for document in documents),
        bytes=sum(document.num_bytes for document in documents),
        characters=sum(document.num_characters for document in documents),
        bits=math.fsum(bits for _, bits in scored),
        by_document=tuple(bits for _, bits in scored),
        document_bytes=tuple(document.num_bytes for document in documents),
    )


if __name__ == "__main__":
    from hanlin.evaluation.scorers import UniformScorer

    text = "学而时习之".encode()
    example = HeldOutDocument("zh", np.frombuffer(text, np.uint8), len(text), 5, lossless=True)
    print(bits_per_byte(UniformScorer(256), [example]).as_dict())
