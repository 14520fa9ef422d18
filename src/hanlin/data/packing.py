"""Rows of a fixed length cut from a stream of documents, in one of two ways.

`stream` cuts the joined documents every T tokens, as GPT-3 did; nothing is wasted, but a row begins
in the middle of a document. `documents` lets every row begin with a document and fills it by best
fit, so that a short document is always seen whole; what stays empty carries no loss (-1).

    python -m hanlin.data.packing
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hanlin.data.permutation import hash_integers
from hanlin.data.shards import TokenStream
from hanlin.errors import DataError

__all__ = ["PADDING", "DocumentRows", "Rows", "StreamRows", "pack_best_fit", "rows_of"]

PADDING = -1
_GROUP = 4096


class Rows(Protocol):
    """A source as rows of T + 1 tokens."""

    @property
    def num_rows(self) -> int:
        """Rows in an epoch."""
        ...

    def row(self, number: int, epoch_key: int) -> NDArray[np.int32]:
        """Return row `number` (T + 1,); PADDING marks places without a token."""
        ...


def rows_of(stream: TokenStream, context_length: int, packing: str) -> Rows:
    """Return a source's rows, packed as `stream` or by `documents`.

    Raises:
        DataError: the source is shorter than one row of the stream.
    """
    if packing == "documents":
        return DocumentRows.pack(stream, context_length)
    if stream.num_tokens < context_length + 1:
        raise DataError(
            f"The source {stream.source!r} has {stream.num_tokens} tokens, fewer than the "
            f"context_length {context_length} + 1. Lower model.context_length or add text."
        )
    return StreamRows(stream, context_length)


@dataclass(frozen=True)
class StreamRows:
    """Rows cut every T tokens, from a place that changes with the epoch."""

    stream: TokenStream
    context_length: int

    @property
    def num_rows(self) -> int:
        """Rows in an epoch."""
        return max(1, (self.stream.num_tokens - self.context_length) // self.context_length)

    def row(self, number: int, epoch_key: int) -> NDArray[np.int32]:
        """Return row `number` (T + 1,)."""
        slack = self.stream.num_tokens - 1 - self.num_rows * self.context_length
        phase = hash_integers(epoch_key) % (min(slack, self.context_length - 1) + 1)
        return self.stream.read(phase + number * self.context_length, self.context_length + 1)


@dataclass(frozen=True)
class DocumentRows:
    """Rows that begin with a document; (start, length) pieces fill each one."""

    stream: TokenStream
    context_length: int
    plan: list[list[tuple[int, int]]] = field(repr=False)

    @classmethod
    def pack(cls, stream: TokenStream, context_length: int) -> DocumentRows:
        """Plan the rows of a source; documents longer than a row are cut into pieces."""
        pieces = _pieces(stream, context_length)
        plan: list[list[tuple[int, int]]] = []
        for first in range(0, len(pieces), _GROUP):
            group = pieces[first : first + _GROUP]
            bins = pack_best_fit([length for _, length in group], context_length)
            plan.extend([group[number] for number in row] for row in bins)
        return cls(stream, context_length, plan)

    @property
    def num_rows(self) -> int:
        """Rows in an epoch."""
        return len(self.plan)

    def row(self, number: int, epoch_key: int) -> NDArray[np.int32]:
        """Return row `number` (T + 1,); its last document's end is the <|endoftext|> after it."""
        del epoch_key
        row = np.full(self.context_length + 1, PADDING, dtype=np.int32)
        filled = 0
        for start, length in self.plan[number]:
            row[filled : filled + length] = self.stream.read(start, length)
            filled += length
        row[filled] = self._after(self.plan[number][-1])
        return row

    def _after(self, piece: tuple[int, int]) -> int:
        following = self.stream.read(sum(piece), 1)
        return int(following[0]) if len(following) else int(self.stream.read(0, 1)[0])


def pack_best_fit(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Pack items into bins: longest first, each into the fullest bin that still holds it.

    >>> pack_best_fit([5, 3, 2, 6], capacity=8)
    [[3, 2], [0, 1]]
    """
    bins: list[list[int]] = []
    free: list[tuple[int, int]] = []  # (space left, bin), sorted
    for item in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        place = bisect.bisect_left(free, (lengths[item], -1))
        if place == len(free):
            bins.append([item])
            bisect.insort(free, (capacity - lengths[item], len(bins) - 1))
            continue
        space, number = free.pop(place)
        bins[number].append(item)
        bisect.insort(free, (space - lengths[item], number))
    return bins


def _pieces(stream: TokenStream, context_length: int) -> list[tuple[int, int]]:
    starts = stream.documents["start"].tolist()
    pieces: list[tuple[int, int]] = []
    for start, length in zip(starts, stream.document_lengths().tolist(), strict=True):
        pieces.extend(
            (start + offset, min(context_length, length - offset))
            for offset in range(0, length, context_length)
        )
    return pieces


if __name__ == "__main__":
    print(pack_best_fit([70, 120, 30, 200, 90, 60], capacity=256))
