"""Cleaned documents on disk, with what deduplication and the split need of each in memory.

A corpus may be larger than memory: the texts lie in a file of JSON lines, the signatures in a
memory map, and 8 bytes a document in memory. Documents of parts that stand already come first, as
texts not to be repeated; they have no line.

    python -m hanlin.text.shelf
"""

from __future__ import annotations

import array
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from hanlin.text.dedup import SIGNATURE, find_duplicates, find_near_duplicates, minhash, text_hash
from hanlin.text.documents import Document

__all__ = ["Shelf", "to_line"]


def to_line(document: Document) -> bytes:
    """Return a document as one JSON line."""
    record = {
        "text": document.text,
        "language": document.language,
        "source": document.source,
        "id": document.id,
    }
    return (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8")


class Shelf:
    """Documents in the order in which they came, in the files of one folder."""

    def __init__(self, folder: Path) -> None:
        """Open new files in an existing folder; close them by using the shelf in a `with`."""
        self._lines_path = folder / "documents.jsonl"
        self._signatures_path = folder / "signatures.u32"
        self._lines = self._lines_path.open("wb")
        self._signatures = self._signatures_path.open("wb")
        self._hashes = array.array("Q")
        self._standing = 0

    def __enter__(self) -> Self:
        """Return the shelf itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files; the folder is its owner's to remove."""
        self._lines.close()
        self._signatures.close()

    def clear(self) -> None:
        """Take all documents off the shelf."""
        for file in (self._lines, self._signatures):
            file.seek(0)
            file.truncate()
        self._hashes = array.array("Q")
        self._standing = 0

    def __len__(self) -> int:
        """Return the number of documents, those of other parts left out."""
        return len(self._hashes) - self._standing

    @property
    def hashes(self) -> npt.NDArray[np.uint64]:
        """The documents' text hashes, those of other parts left out, shape (documents,)."""
        return np.array(self._hashes, np.uint64)[self._standing :]

    def add_standing(self, document: Document, units: npt.NDArray[np.uint64]) -> None:
        """Add a document of another part, before any of this part's own."""
        self._index(document, units)
        self._standing += 1

    def add(self, document: Document, units: npt.NDArray[np.uint64]) -> None:
        """Add a document; `units` are its unit hashes (hanlin.text.units)."""
        self._lines.write(to_line(document))
        self._index(document, units)

    def documents(self, wanted: npt.NDArray[np.bool_]) -> Iterator[Document]:
        """Yield the documents for which the mask is true; its shape is (documents,)."""
        self._lines.flush()
        with self._lines_path.open("rb") as file:
            for line in itertools.compress(file, wanted):
                yield Document(**json.loads(line))

    def repetitions(self, similarity: float | None) -> list[str]:
        """Return for each document in what way it repeats an earlier one, "" where it does not.

        Without a similarity only exact duplicates count.
        """
        if not self._hashes:
            return []
        numbers = np.arange(len(self._hashes))
        reasons = np.full(len(numbers), "", "<U15")
        if similarity is not None:
            self._signatures.flush()
            signatures = np.memmap(self._signatures_path, np.uint32, "r").reshape(-1, SIGNATURE)
            reasons[find_near_duplicates(signatures, similarity) != numbers] = "near-duplicate"
        hashes = np.array(self._hashes, np.uint64)
        reasons[find_duplicates(hashes) != numbers] = "exact duplicate"
        return [str(reason) for reason in reasons[self._standing :]]

    def _index(self, document: Document, units: npt.NDArray[np.uint64]) -> None:
        self._hashes.append(text_hash(document.text))
        self._signatures.write(minhash(units).tobytes())


if __name__ == "__main__":
    import tempfile

    from hanlin.text.units import hash_units

    with tempfile.TemporaryDirectory() as name, Shelf(Path(name)) as shelf:
        for text in ("春眠不觉晓", "处处闻啼鸟", "春眠不觉晓"):
            shelf.add(Document(text, "zh-Hans", "poems", "poem.txt#0"), hash_units(text))
        print(shelf.repetitions(0.8))
