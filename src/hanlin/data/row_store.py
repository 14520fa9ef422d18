"""What was once worked out for a row of tokens, on disk, found again by what the row holds.

A record belongs to a row's tokens and to nothing else: not to a place in an order, a seed or a
run. So an order that reads the row again, or another run that does, finds it. Layout of a folder:

    index.json               what the records follow from, and their dtype
    3f0a....npy              a block of records (NumPy's format), memory-mapped
    3f0a....json             the block's rows, size and SHA-256; written last

A block without its .json was never finished, and one that does not fit it was damaged: neither is
used. Blocks are named by their rows, so that processes which write at once do not disturb each
other.

    python -m hanlin.data.row_store
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hanlin.errors import DataError
from hanlin.records import atomic_file, sha256_file, write_json

__all__ = ["RowStore", "hash_rows"]

_INDEX = "index.json"


def hash_rows(rows: NDArray[np.integer[Any]]) -> NDArray[np.uint64]:
    """Return 64 bits that tell each row (R, W) from others, (R,).

    That any two of ten million different rows agree has odds of 3 in a million.
    """
    wide = np.ascontiguousarray(rows, dtype="<i4")
    found = [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in wide]
    return np.frombuffer(b"".join(found), dtype="<u8").astype(np.uint64)


@dataclass(frozen=True)
class RowStore:
    """The whole blocks of a folder, as one table by row."""

    folder: Path
    dtype: np.dtype[np.void]
    blocks: tuple[NDArray[np.void], ...]
    keys: NDArray[np.uint64]
    """Sorted."""
    places: NDArray[np.int64]
    """The block of each key, and the record in it, (n, 2)."""

    @staticmethod
    def prepare(
        folder: Path,
        follows_from: Mapping[str, Any],
        dtype: np.dtype[np.void],
        say: Callable[[str], None],
    ) -> None:
        """Make a folder ready: new, or rid of what is damaged or follows from something else."""
        index = {"follows_from": dict(follows_from), "dtype": _describe(dtype)}
        there = _read(folder / _INDEX)
        if there is not None and there != json.loads(json.dumps(index)):
            say(f"{folder} was made from something else or is damaged; it is made anew")
        if there != json.loads(json.dumps(index)):
            for file in (*folder.glob("*.json"), *folder.glob("*.npy")):
                file.unlink()
            write_json(folder / _INDEX, index)
        for path in _descriptions(folder):
            fault = _fault(path)
            if fault:
                say(f"{path.with_suffix('.npy')} {fault}; its rows are worked out again")
                path.unlink()

    @classmethod
    def open(cls, folder: Path, dtype: np.dtype[np.void]) -> RowStore:
        """Open what `prepare` found whole, and what was added since."""
        blocks, keys, places = [], [], []
        for number, path in enumerate(_descriptions(folder)):
            described = json.loads(path.read_text(encoding="utf-8"))
            blocks.append(np.load(path.with_suffix(".npy"), mmap_mode="r", allow_pickle=False))
            keys += [int(key, 16) for key in described["rows"]]
            places += [(number, place) for place in range(len(described["rows"]))]
        order = np.argsort(np.array(keys, dtype=np.uint64), kind="stable")
        return cls(
            folder,
            dtype,
            tuple(blocks),
            np.array(keys, dtype=np.uint64)[order],
            np.array(places, dtype=np.int64).reshape(-1, 2)[order],
        )

    @property
    def num_bytes(self) -> int:
        """Bytes of all records."""
        return sum(block.nbytes for block in self.blocks)

    def has(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Return which keys of `hash_rows` have a record."""
        return self._look_up(keys)[1]

    def add(self, keys: NDArray[np.uint64], records: NDArray[np.void]) -> None:
        """Write a block of records, atomically; a store that is opened later finds it."""
        names = [f"{int(key):016x}" for key in keys]
        path = self.folder / f"{hashlib.sha256(''.join(names).encode()).hexdigest()[:16]}.npy"
        with atomic_file(path) as temporary:
            with temporary.open("wb") as file:
                np.save(file, records.astype(self.dtype), allow_pickle=False)
            digest, size = sha256_file(temporary), temporary.stat().st_size
        described = {"bytes": size, "sha256": digest, "rows": names}
        write_json(path.with_suffix(".json"), described)

    def find(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.void]:
        """Return the records of rows (R, W), copied into memory, (R,).

        Raises:
            DataError: a row has none.
        """
        spots, there = self._look_up(hash_rows(rows))
        if not there.all():
            raise DataError(
                f"{self.folder} has no record of a row that is read now; it was changed while it "
                "was in use. Give the same command again: what is missing is worked out first."
            )
        found = [self.blocks[block][place] for block, place in self.places[spots].tolist()]
        return np.stack(found)

    def _look_up(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return where in the table each key stands, and whether it is there."""
        if not len(self.keys):
            return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
        spots = np.searchsorted(self.keys, keys).clip(max=len(self.keys) - 1)
        return spots, self.keys[spots] == keys


def _descriptions(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.json") if path.name != _INDEX)


def _describe(dtype: np.dtype[np.void]) -> list[Any]:
    return [[name, str(part.base), list(part.shape)] for name, (part, *_) in _fields(dtype)]


def _fields(dtype: np.dtype[np.void]) -> list[tuple[str, Any]]:
    return list((dtype.fields or {}).items())


def _read(path: Path) -> Any:
    """Return a JSON file's value; None where there is none, and an empty one where it is broken."""
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}


def _fault(path: Path) -> str:
    """Return what is wrong with a block, and nothing where it is whole."""
    described, block = _read(path), path.with_suffix(".npy")
    if not isinstance(described, dict) or described.keys() != {"bytes", "sha256", "rows"}:
        return "has a broken description"
    size = block.stat().st_size if block.exists() else -1
    if size != described["bytes"]:
        return "is missing" if size < 0 else f"has {size} bytes in place of {described['bytes']}"
    return "" if sha256_file(block) == described["sha256"] else "was altered"


if __name__ == "__main__":
    import tempfile

    place = Path(tempfile.mkdtemp())
    kind = np.dtype([("sum", "<i8", (1,))])
    lines = np.arange(12).reshape(3, 4)
    RowStore.prepare(place, {"what": "sums"}, kind, print)
    sums = np.array([((int(line.sum()),),) for line in lines], dtype=kind)
    RowStore.open(place, kind).add(hash_rows(lines), sums)
    print(RowStore.open(place, kind).find(lines[::-1])["sum"].tolist())
