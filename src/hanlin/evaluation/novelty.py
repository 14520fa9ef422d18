"""Novelty: how much of a text stands word for word in the training text.

Two measures: the longest stretch of each sample that training holds verbatim, and the share of the
samples' 13-grams that training holds (the length of Brown et al. 2020, appendix C). Held-out human
text goes through the same measure beside the samples, since stock phrases are copied by everyone.
Units are characters for Chinese and words for English; case and punctuation do not count.

The training text is read once and never held. A prefix sum of unit * base^position (modulo 2^64)
gives the hash of any stretch (Karp & Rabin 1987). At each length, the training positions whose
stretch occurs in a sample survive to the next length; few do beyond a handful of units, so the
work is that of a few passes, and memory that of the samples.

    python -m hanlin.evaluation.novelty

Shapes: P units of all samples together, N units of a piece of training text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hanlin.evaluation.intervals import Share
from hanlin.text.units import hash_each, hash_units

__all__ = ["Novelty", "measure_novelty"]

Hashes = NDArray[np.uint64]

_BASE = 0xD1342543DE82EF95  # odd, so that it has an inverse modulo 2^64
_INVERSE = pow(_BASE, -1, 2**64)
_BORDER = np.array([0x9E3779B97F4A7C15], dtype=np.uint64)  # between documents; in no sample
_PIECE_UNITS = 1_000_000


@dataclass(frozen=True, slots=True)
class Novelty:
    """How much of one group of texts stands in the training text."""

    texts: int
    ngram_size: int
    found: Share
    """n-grams of the texts that training holds, of all that they have."""
    copied: Share
    """Texts that stand in training from end to end, of all that have a unit."""
    longest: tuple[int, ...] = field(repr=False)
    """For each text, the units of its longest stretch that training holds."""

    def as_dict(self) -> dict[str, Any]:
        """Return the shares with their intervals, and mean, median and maximum of `longest`."""
        longest = self.longest or (0,)
        return {
            "texts": self.texts,
            "ngram_size": self.ngram_size,
            "found": self.found.as_dict(),
            "copied": self.copied.as_dict(),
            "longest_mean": float(np.mean(longest)),
            "longest_median": float(np.median(longest)),
            "longest_max": max(longest),
        }


def measure_novelty(
    groups: Mapping[str, Sequence[str]], training: Iterable[str], *, ngram_size: int = 13
) -> dict[str, Novelty]:
    """Compare groups of texts, such as samples and held-out text, with the training text.

    `training` is read once, text by text.
    """
    texts = [text for group in groups.values() for text in group]
    samples = _Samples([hash_units(text) for text in texts])
    for piece in _join(training):
        samples.search(_Stretches(piece))
    longest, sizes = samples.longest(), samples.sizes
    found, total = samples.count_found(ngram_size)
    novelties: dict[str, Novelty] = {}
    start = 0
    for name, group in groups.items():
        here = slice(start, start + len(group))
        start += len(group)
        whole = (longest[here] == sizes[here]) & (sizes[here] > 0)
        novelties[name] = Novelty(
            texts=len(group),
            ngram_size=ngram_size,
            found=Share(int(found[here].sum()), int(total[here].sum())),
            copied=Share(int(whole.sum()), int(np.count_nonzero(sizes[here]))),
            longest=tuple(longest[here].tolist()),
        )
    return novelties


class _Stretches:
    """The hash of any stretch of some units, from one prefix sum."""

    def __init__(self, units: Hashes) -> None:
        self.size = units.size
        powers = _powers(_BASE, units.size)
        self._sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(units * powers)])
        self._inverses = _powers(_INVERSE, units.size)

    def hashes(self, starts: NDArray[np.intp], length: int) -> Hashes:
        """Return the hashes of the stretches of `length` units at `starts`."""
        sums = self._sums[starts + length] - self._sums[starts]
        hashes: Hashes = sums * self._inverses[starts]
        return hashes


class _Samples:
    """All samples end to end, and which of their stretches training was found to hold."""

    def __init__(self, samples: Sequence[Hashes]) -> None:
        self.sizes = np.array([sample.size for sample in samples], dtype=np.int64)
        self._owner = np.repeat(np.arange(len(samples)), self.sizes)  # (P,)
        ends = np.repeat(np.cumsum(self.sizes), self.sizes)
        self._remaining = ends - np.arange(ends.size)  # (P,) units up to the sample's end
        self._stretches = _Stretches(np.concatenate([np.empty(0, np.uint64), *samples]))
        self._tables: list[tuple[Hashes, NDArray[np.bool_]]] = []  # by length - 1

    def search(self, training: _Stretches) -> None:
        """Mark the stretches that a piece of training text holds, length after length."""
        survivors = np.arange(training.size)
        length = 1
        while survivors.size:
            known, found = self._table(length)
            if known.size == 0:
                break
            survivors = survivors[survivors + length <= training.size]
            hashes = training.hashes(survivors, length)
            ranks = np.minimum(np.searchsorted(known, hashes), known.size - 1)
            held = known[ranks] == hashes
            found[ranks[held]] = True
            survivors = survivors[held]
            length += 1

    def longest(self) -> NDArray[np.int64]:
        """Return for each sample the longest stretch that was found."""
        longest = np.zeros(self.sizes.size, dtype=np.int64)
        for length in range(1, len(self._tables) + 1):
            starts, found = self._found(length)
            longest[self._owner[starts[found]]] = length
        return longest

    def count_found(self, length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return for each sample how many of its stretches were found, and how many it has."""
        starts, found = self._found(length)
        owners, num = self._owner[starts], self.sizes.size
        return np.bincount(owners[found], minlength=num), np.bincount(owners, minlength=num)

    def _found(self, length: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        starts = np.flatnonzero(self._remaining >= length)
        known, found = self._table(length)
        ranks = np.searchsorted(known, self._stretches.hashes(starts, length))
        return starts, found[ranks]

    def _table(self, length: int) -> tuple[Hashes, NDArray[np.bool_]]:
        while len(self._tables) < length:
            size = len(self._tables) + 1
            starts = np.flatnonzero(self._remaining >= size)
            known = np.unique(self._stretches.hashes(starts, size))
            self._tables.append((known, np.zeros(known.size, dtype=np.bool_)))
        return self._tables[length - 1]


def _join(texts: Iterable[str]) -> Iterator[Hashes]:
    """Yield the units of many texts at a time, with a border after each text."""
    parts: list[Hashes] = []
    held = 0
    for units in hash_each(texts):
        parts.extend([units, _BORDER])
        held += units.size + 1
        if held >= _PIECE_UNITS:
            yield np.concatenate(parts)
            parts, held = [], 0
    if parts:
        yield np.concatenate(parts)


def _powers(base: int, count: int) -> Hashes:
    factors = np.full(count, base, dtype=np.uint64)
    factors[:1] = 1
    return np.cumprod(factors, dtype=np.uint64)


if __name__ == "__main__":
    novel = measure_novelty({"samples": ["床前明月光疑是银河落九天"]}, ["床前明月光，疑是地上霜。"])
    print(novel["samples"].longest)
