"""Pairs of texts, and the order in which training reads them.

`data.txt` holds one pair a line, parted by a tab (further columns are passed over, as in the lists
of sentence pairs that many courses use); a `.jsonl` file holds one object a line. A row of training
carries a whole pair and says itself where its parts are:

    n  s_1 ... s_n  t_1 ... t_m  0 ... 0        n: length of the source; 0: padding

Row p of training is a keyed permutation of the pairs that changes with the epoch, so that a batch
is a pure function of (seed, step).

    python -m hanlin.data.pairs
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hanlin.data.permutation import hash_integers, permute_one
from hanlin.errors import DataError

__all__ = ["PairBatches", "TextPair", "pack_pairs", "read_text_pairs", "write_text_pairs"]


@dataclass(frozen=True, slots=True)
class TextPair:
    """A text and what should be written for it."""

    source: str
    target: str


def read_text_pairs(path: Path, *, source: str = "zh", target: str = "en") -> list[TextPair]:
    """Read pairs from lines parted by a tab, or from JSON lines with the keys `source`, `target`.

    Raises:
        DataError: the file cannot be read, or a line holds no pair.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Cannot read pairs from {path}: {error}. Give a file in UTF-8.") from error
    pairs = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            pair = (
                _from_json(line, source, target)
                if Path(path).suffix == ".jsonl"
                else _from_columns(line)
            )
        except (ValueError, KeyError, TypeError) as error:
            asked = f'a JSON object with "{source}" and "{target}", or two texts parted by a tab'
            raise DataError(
                f"{path}, line {number} holds no pair ({error!r}). Each line must be {asked}."
            ) from error
        pairs.append(pair)
    if not pairs:
        raise DataError(f"{path} holds no pair.")
    return pairs


def write_text_pairs(path: Path, pairs: Sequence[TextPair]) -> None:
    """Write pairs as lines parted by a tab."""
    text = "".join(f"{pair.source}\t{pair.target}\n" for pair in pairs)
    Path(path).write_text(text, encoding="utf-8")


def pack_pairs(
    sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]
) -> NDArray[np.int32]:
    """Return one row a pair; a target holds its markers.

    >>> pack_pairs([[5, 6], [7]], [[1, 8, 2], [1, 2]]).tolist()
    [[2, 5, 6, 1, 8, 2], [1, 7, 1, 2, 0, 0]]

    Raises:
        DataError: there are not as many sources as targets, or one has no word.
    """
    if len(sources) != len(targets) or not sources:
        raise DataError(
            f"There are {len(sources)} sources and {len(targets)} targets. Give as many of each, "
            "and at least one."
        )
    width = max(1 + len(s) + len(t) for s, t in zip(sources, targets, strict=True))
    rows = np.zeros((len(sources), width), dtype=np.int32)
    for number, (source, target) in enumerate(zip(sources, targets, strict=True)):
        whole = [*source, *target]
        if not len(source) or len(target) < 2 or min(whole) < 1:
            raise DataError(
                f"Pair {number} cannot be learnt: its source is {list(source)} and its target "
                f"{list(target)}. A source needs a word, a target both markers, and id 0 is "
                "padding. Leave out what the tokenizer knows no word of."
            )
        rows[number, : 1 + len(whole)] = [len(source), *whole]
    return rows


@dataclass(frozen=True)
class PairBatches:
    """Batches of packed pairs in training order."""

    rows: NDArray[np.int32]
    """Packed pairs, (N, W)."""
    rows_per_step: int
    seed: int

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> NDArray[np.int32]:
        """Return the rows (R, W) of one process at a step; all processes' make the batch."""
        if self.rows_per_step < 1 or self.rows_per_step % world_size:
            raise DataError(
                f"{self.rows_per_step} pairs a step cannot be shared by {world_size} processes. "
                "Change rows_per_step or the number of processes."
            )
        share = self.rows_per_step // world_size
        first = step * self.rows_per_step + rank * share
        return self.rows[[self._place(first + number) for number in range(share)]]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the pairs, for the fingerprints of a training."""
        digest = hashlib.sha256(str(self.rows.shape).encode())
        digest.update(np.ascontiguousarray(self.rows).data)
        return digest.hexdigest()

    def _place(self, position: int) -> int:
        epoch, place = divmod(position, len(self.rows))
        key = hash_integers(self.seed, epoch)
        return permute_one(place, len(self.rows), key)


def _from_json(line: str, source: str, target: str) -> TextPair:
    record = json.loads(line)
    return _pair(record[source], record[target])


def _from_columns(line: str) -> TextPair:
    first, second, *_ = line.rstrip("\r").split("\t")
    return _pair(first, second)


def _pair(source: object, target: object) -> TextPair:
    texts = [text.strip() for text in (source, target) if isinstance(text, str)]
    if len(texts) != 2 or not all(texts):
        raise ValueError("a text is empty, or no text")
    return TextPair(*texts)


if __name__ == "__main__":
    packed = pack_pairs([[5, 6], [7], [8]], [[1, 8, 2], [1, 2], [1, 9, 2]])
    order = PairBatches(packed, rows_per_step=2, seed=1)
    print([order.batch(step).tolist() for step in range(3)])
