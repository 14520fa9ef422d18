"""The second pass over one part: write training text past the held-out runs, then what is held out.

A held-out document of which too much stands in training text is dropped; should all of a split be
so, its least touched document stays, since a split must not be empty.

    python -m hanlin.text.writing
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from hanlin.text.contamination import CONTAMINATED, RunIndex
from hanlin.text.documents import Document, Tally
from hanlin.text.gathering import EVERY, PartPlan
from hanlin.text.manifest import Amount, Contamination, FileRecord
from hanlin.text.shelf import Shelf, to_line
from hanlin.text.split import SPLITS, Split

__all__ = ["SplitWriter", "write_splits"]

_TRAIN, _VALIDATION, _TEST = range(len(SPLITS))


@dataclass(slots=True)
class SplitWriter:
    """One split's file as it is written, with its hash and the amounts of text in it."""

    split: Split
    file: BinaryIO
    size: int = 0
    _digest: Any = field(default_factory=hashlib.sha256)
    _amounts: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def write(self, document: Document) -> None:
        """Write one document."""
        line = to_line(document)
        self.file.write(line)
        self._digest.update(line)
        self.size += len(line)
        amount = self._amounts.setdefault((document.source, document.language), [0, 0, 0])
        text = document.text
        for place, more in enumerate((1, len(text.encode("utf-8")), len(text))):
            amount[place] += more

    def record(self, name: str) -> FileRecord:
        """Return the file's name, size and hash."""
        return FileRecord(name=name, size=self.size, sha256=self._digest.hexdigest())

    def amounts(self) -> Iterator[Amount]:
        """Yield how much of each language each source has given."""
        for (source, language), (documents, size, characters) in sorted(self._amounts.items()):
            yield Amount(
                split=self.split,
                source=source,
                language=language,
                documents=documents,
                bytes=size,
                characters=characters,
            )


def write_splits(
    plan: PartPlan,
    shelf: Shelf,
    splits: npt.NDArray[np.int8],
    writers: dict[Split, SplitWriter],
    tally: Tally,
) -> dict[Split, Contamination]:
    """Write each document to its split; return how much of what is held out was seen in training.

    Args:
        plan: the part.
        shelf: its documents.
        splits: the index in SPLITS of each, -1 for those that are not written, shape (documents,).
        writers: the open file of each split.
        tally: counts what is dropped here.
    """
    index = RunIndex(_checked(document, plan) for document in shelf.documents(splits > _TRAIN))
    for document in plan.standing_documents("train"):
        index.mark(_checked(document, plan))
    _write_training(plan, shelf, splits == _TRAIN, index, writers["train"], tally)
    shares = np.full(len(splits), np.nan)  # stays so where nothing was checked
    shares[splits > _TRAIN] = index.shares()
    return {
        split: _write_held_out(shelf, shares, splits == place, writers[split], tally)
        for place, split in enumerate(SPLITS)
        if place != _TRAIN
    }


def _checked(document: Document, plan: PartPlan) -> str:
    """Return the text that is compared: none of the toy world's, which is made of set phrases."""
    return "" if document.source in plan.set_phrases else document.text


def _write_training(
    plan: PartPlan,
    shelf: Shelf,
    wanted: npt.NDArray[np.bool_],
    index: RunIndex,
    writer: SplitWriter,
    tally: Tally,
) -> None:
    elsewhere = RunIndex(
        _checked(document, plan) for document in plan.standing_documents("validation", "test")
    )
    total = int(wanted.sum())
    for number, document in enumerate(shelf.documents(wanted)):
        if number % EVERY == 0:
            plan.report("write", number, total)
        text = _checked(document, plan)
        if elsewhere.overlap(text) >= CONTAMINATED:
            tally.drop("held out in another part", f"{document.id}: {text}")
            continue
        index.mark(text)
        writer.write(document)
    plan.report("write", total, total)


def _write_held_out(
    shelf: Shelf,
    shares: npt.NDArray[np.float64],
    wanted: npt.NDArray[np.bool_],
    writer: SplitWriter,
    tally: Tally,
) -> Contamination:
    """Write one held-out split but for the documents that training text contains."""
    bound = CONTAMINATED
    if wanted.any() and shares[wanted].min() >= bound:
        bound = np.nextafter(shares[wanted].min(), 2)
    for document, share in zip(shelf.documents(wanted), shares[wanted], strict=True):
        if share >= bound:
            tally.drop("held out, but seen in training", f"{document.id}: {document.text}")
        else:
            writer.write(document)
    kept = shares[wanted & (shares < bound)]
    return Contamination(
        documents=int(wanted.sum()),
        touched=int((kept > 0).sum()),
        mean_share=round(float(kept.mean()), 6) if len(kept) else 0.0,
        largest_share=round(float(kept.max(initial=0)), 6),
        dropped=int(wanted.sum()) - len(kept),
    )


if __name__ == "__main__":
    import io

    example = SplitWriter("train", io.BytesIO())
    example.write(Document("春眠不觉晓", "zh-Hans", "poems", "poem.txt#0"))
    print(example.record("main.train.jsonl"), *example.amounts())
