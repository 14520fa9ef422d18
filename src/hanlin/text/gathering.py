"""The first pass over one part of the corpus: read, clean, and find what repeats.

python -m hanlin.text.gathering
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hanlin.config import CleaningConfig, CorpusConfig, SourceConfig
from hanlin.errors import DataError
from hanlin.text.cleaning import clean_text, convert_script
from hanlin.text.documents import PIECE, Document, Reading, Tally
from hanlin.text.language import find_language
from hanlin.text.quality import find_fault, profile_text
from hanlin.text.readers import SourceReader
from hanlin.text.shelf import Shelf
from hanlin.text.split import SPLITS, Split
from hanlin.text.stored import iterate_documents
from hanlin.text.units import hash_each, hash_ngrams, hash_units

__all__ = ["EVERY", "Gathering", "PartPlan", "Progress", "clean_document", "gather_part"]

Progress = Callable[[str, int, int], None]
Units = npt.NDArray[np.uint64]

EVERY = 256
"""Documents between two reports of progress."""

_PIECES = (PIECE, PIECE // 4, PIECE // 16)
_ENOUGH = 10  # documents, below which long texts are cut into shorter pieces
_FEWEST = 3  # documents, below which there is nothing to hold out


@dataclass(frozen=True)
class PartPlan:
    """What one part is built from, and the parts that stand already, which it must not repeat."""

    part: str
    config: CorpusConfig
    base: Path
    folder: Path
    standing: tuple[str, ...]
    report: Progress

    @property
    def sources(self) -> list[SourceConfig]:
        """The part's sources in the recipe's order."""
        return [source for source in self.config.sources if source.part == self.part]

    @cached_property
    def set_phrases(self) -> frozenset[str]:
        """Sources whose sentences recur by design, so that shared runs of words prove nothing."""
        return frozenset(source.label for source in self.config.sources if source.world)

    def standing_documents(self, *splits: Split) -> Iterator[Document]:
        """Yield the documents of some splits of the parts that stand already."""
        for part in self.standing:
            for split in splits:
                yield from iterate_documents(self.folder, part, split)

    def too_few(self, number: int, tally: Tally) -> DataError:
        """Return the error for a part with too few documents."""
        labels = ", ".join(repr(source.label) for source in self.sources)
        return DataError(
            f"The part {self.part!r} of the corpus keeps {number} documents of {labels}; at least "
            f"{_FEWEST} are needed, so that some can be held out. "
            f"Dropped: {tally.summary() or 'nothing'}. "
            "Give more text, set `blocks = true` where blank lines part documents, "
            "or ease the rules under `corpus.cleaning`."
        )


@dataclass(slots=True)
class Gathering:
    """The cleaned documents of a part, and the account of how they came."""

    shelf: Shelf
    tally: Tally = field(default_factory=Tally)
    readings: dict[str, Reading] = field(default_factory=dict)
    read: int = 0

    def distinct(self, plan: PartPlan) -> npt.NDArray[np.bool_]:
        """Return which documents repeat no other, shape (documents,), and count the rest."""
        cleaning = plan.config.cleaning
        plan.report("deduplicate", 0, 1)
        reasons = self.shelf.repetitions(cleaning.similarity if cleaning.near_duplicates else None)
        distinct = np.array([not reason for reason in reasons], bool)
        dropped = [reason for reason in reasons if reason]
        for document, reason in zip(self.shelf.documents(~distinct), dropped, strict=True):
            self.tally.drop(reason, f"{document.id}: {document.text}")
        plan.report("deduplicate", 1, 1)
        return distinct


def gather_part(plan: PartPlan, shelf: Shelf) -> tuple[Gathering, npt.NDArray[np.bool_]]:
    """Read and clean a part onto a shelf; return it, and which documents repeat no other.

    Where fewer than ten documents come of it, it is done again with shorter pieces of long texts.

    Raises:
        DataError: a source cannot be read, or fewer than three documents are left.
    """
    for piece in _PIECES:
        gathering = _gather(plan, shelf, piece)
        distinct = gathering.distinct(plan)
        if distinct.sum() >= _ENOUGH:
            return gathering, distinct
    if distinct.sum() < _FEWEST:
        raise plan.too_few(int(distinct.sum()), gathering.tally)
    return gathering, distinct


def clean_document(
    document: Document, source: SourceConfig, cleaning: CleaningConfig
) -> tuple[Document, Units] | str:
    """Return a document cleaned, with its unit hashes, or the reason why it is dropped."""
    text = clean_text(document.text)
    if len(text) < cleaning.min_characters:
        return f"shorter than {cleaning.min_characters} characters"
    language = source.language or find_language(text)
    if language.startswith("zh") and cleaning.to_script != "keep":
        text = convert_script(text, cleaning.to_script)
        language = "zh-Hans" if cleaning.to_script == "simplified" else "zh-Hant"
    units = hash_units(text)
    fault = find_fault(profile_text(text, language, units)) if cleaning.quality else None
    return fault or (replace(document, text=text, language=language), units)


def _gather(plan: PartPlan, shelf: Shelf, piece: int) -> Gathering:
    shelf.clear()
    gathering = Gathering(shelf)
    for document, units in _with_units(plan.standing_documents(*SPLITS)):
        shelf.add_standing(document, _signed(document, units, plan))
    for source in plan.sources:
        for document, units in _clean_source(source, plan, gathering, piece):
            shelf.add(document, _signed(document, units, plan))
    return gathering


def _clean_source(
    source: SourceConfig, plan: PartPlan, gathering: Gathering, piece: int
) -> Iterator[tuple[Document, Units]]:
    reading = gathering.readings[source.label] = Reading(piece=piece, tally=gathering.tally)
    reader = SourceReader(source, plan.base, reading)
    total = reader.total()

    def read() -> Iterator[Document]:
        for number, document in enumerate(reader):
            gathering.read += 1
            if number % EVERY == 0:
                done = number if source.world else reading.bytes
                plan.report(f"read {source.label}", done, total)
            yield document

    if source.world:
        yield from _with_units(read())
    else:
        for document in read():
            cleaned = clean_document(document, source, plan.config.cleaning)
            if isinstance(cleaned, str):
                gathering.tally.drop(cleaned, f"{document.id}: {document.text[:200]}")
            else:
                yield cleaned
    plan.report(f"read {source.label}", total, total)


def _with_units(documents: Iterator[Document]) -> Iterator[tuple[Document, Units]]:
    """Yield documents with their unit hashes."""
    documents, read = itertools.tee(documents)
    return zip(documents, hash_each(document.text for document in read), strict=True)


def _signed(document: Document, units: Units, plan: PartPlan) -> Units:
    """Return the units by which a document is compared with others."""
    if document.source not in plan.set_phrases:
        return units
    # All of it as one unit: stories from one template are alike and yet no copies.
    return hash_ngrams(units, len(units))


if __name__ == "__main__":
    page = Document("　　庭院深深深几许，杨柳堆烟，帘幕无重数。", "", "poems", "poem.txt#0")
    print(clean_document(page, SourceConfig(path="poem.txt"), CleaningConfig(min_characters=5)))
