r"""Learn byte pair merges from text, quickly and in little memory, with numpy alone.

Byte pair encoding (Gage 1994; Sennrich, Haddow and Birch 2016, arXiv:1508.07909) joins the most
frequent adjacent pair of symbols, again and again. Three observations make arrays enough for it:

- A text is its distinct pieces and their counts. All pieces lie in one array of *cells*, one symbol
  in each, the byte 0xFF between pieces: it occurs in no UTF-8.
- A pair's occurrences all arise at one moment, when the later of its two symbols is made. From then
  on they can only be used up, so counts only fall, and an old count in the queue is an upper bound.
  The true one is found when the pair comes to the front; nothing is kept up to date before that.
- Pairs rarer than the last merge are never needed. So only pairs above a floor are queued; when the
  queue runs dry, the cells are packed, the floor is lowered, and the pairs are counted again.

Ties go to the pair with the smaller left symbol, then the smaller right one.

    python -m hanlin.tokenizers.learning
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hanlin.tokenizers.base import well_formed
from hanlin.tokenizers.pieces import split_pattern

__all__ = ["MAX_HAN", "MIN_COUNT", "Cells", "Pair", "count_pieces", "learn_merges"]

Pair = tuple[int, int]
Array = NDArray[Any]

MAX_HAN = 4
"""Han characters in one token at most: longer ones are memorised phrases."""
MIN_COUNT = 2
"""A pair seen once is no pattern."""

_BYTES = 256
_SEPARATOR = 0xFF
_BUCKETS = 1 << 20
_CHUNK = 1 << 21
_FLOOR_RATIO = 256
_SLICE = 1 << 15


def learn_merges(texts: Iterable[str], num_merges: int) -> list[Pair]:
    """Return up to `num_merges` merges, the most frequent pair first.

    Symbols 0 to 255 are bytes; the merge at place `n` makes the symbol 256 + n. Fewer merges come
    back where the text holds no further pair that occurs `MIN_COUNT` times.

    >>> learn_merges(["low lower lowest"], 2)
    [(108, 111), (256, 119)]
    """
    cells = count_pieces(texts, num_merges)
    merges: list[Pair] = []
    while len(merges) < num_merges:
        missing = num_merges - len(merges)
        queue = _Queue.build(cells, num_symbols=_BYTES + len(merges), num_wanted=missing)
        _merge_from_queue(cells, queue, merges, num_merges)
        cells.pack()
        if queue.floor == MIN_COUNT and not queue.heap:
            break
    return merges


@dataclass(slots=True)
class Cells:
    """All distinct pieces in one array.

    A symbol of n cells stands in its first and in its last cell, so that both neighbours of a place
    are found without links; the cells between them hold remains.
    """

    symbols: Array
    """The symbol in each cell, separators between pieces, at the start and at the end. # (N,)"""
    weights: Array
    """How often the cell's piece occurs. # (N,)"""
    num_symbols: int
    """Symbols that there can be at most."""
    alive: Array = field(init=False)
    """Whether a symbol starts in the cell. # (N,)"""
    lengths: Array = field(init=False)
    """Cells that a symbol covers. # (num_symbols,)"""

    def __post_init__(self) -> None:
        """Begin with one symbol a cell."""
        self._restart()

    def _restart(self) -> None:
        self.alive = np.ones(len(self.symbols), dtype=bool)
        self.lengths = np.ones(self.num_symbols, dtype=np.int32)

    def pack(self) -> None:
        """Drop the cells in which no symbol starts."""
        self.symbols = self.symbols[self.alive]
        self.weights = self.weights[self.alive]
        self._restart()

    def occurrences(self, places: Array, pair: Pair) -> Array:
        """Return those of the places where the pair still stands."""
        left, right = pair
        standing = self.alive[places]
        standing &= self.symbols[places] == left
        standing &= self.symbols[places + int(self.lengths[left])] == right
        return places if standing.all() else places[standing]

    def merge(self, places: Array, pair: Pair, symbol: int) -> None:
        """Write `symbol` over the pair at the given places."""
        left, right = (int(self.lengths[part]) for part in pair)
        self.lengths[symbol] = left + right
        self.alive[places + left] = False
        self.symbols[places] = symbol
        self.symbols[places + (left + right - 1)] = symbol


def count_pieces(texts: Iterable[str], num_merges: int) -> Cells:
    """Cut texts into pieces, Han runs at most `MAX_HAN` long, and lay the distinct ones out."""
    pattern = split_pattern(MAX_HAN)
    counts: Counter[str] = Counter()
    for text in texts:
        for part in _slices(well_formed(text)):
            counts.update(pattern.findall(part))
    encoded = [piece.encode("utf-8") for piece in counts]
    lengths = np.fromiter(map(len, encoded), dtype=np.int32, count=len(encoded))
    weights = np.fromiter(counts.values(), dtype=np.int32, count=len(encoded))
    del counts
    separator = bytes([_SEPARATOR])
    laid_out = separator + separator.join([*encoded, b""])
    del encoded
    num_symbols = _BYTES + num_merges
    # Two bytes a cell where they suffice: half the memory, and numpy sorts them by radix.
    dtype = np.uint16 if num_symbols <= 1 << 16 else np.int32
    return Cells(
        symbols=np.frombuffer(laid_out, dtype=np.uint8).astype(dtype),
        weights=np.concatenate([np.zeros(1, np.int32), np.repeat(weights, lengths + 1)]),
        num_symbols=num_symbols,
    )


def _slices(text: str) -> Iterator[str]:
    """Cut a long text after line ends, so that its pieces need not be in memory at once."""
    start = 0
    while len(text) - start > _SLICE:
        # A line that begins with a letter cannot share a piece with the line before.
        end = text.find("\n", start + _SLICE) + 1
        while 0 < end < len(text) and not text[end].isalpha():
            end = text.find("\n", end) + 1
        if end == 0:
            break
        yield text[start:end]
        start = end
    yield text[start:]


@dataclass(slots=True)
class _Queue:
    """Pairs above a floor, the most frequent first; each count is an upper bound."""

    floor: int
    heap: list[tuple[int, Pair]]
    places: dict[Pair, Array]

    def push(self, pair: Pair, count: int, places: Array) -> None:
        self.places[pair] = places
        heapq.heappush(self.heap, (-count, pair))

    @classmethod
    def build(cls, cells: Cells, *, num_symbols: int, num_wanted: int) -> _Queue:
        """Count the pairs in packed cells and queue those above a floor."""
        mass = _bucket_mass(cells)
        ranked = np.sort(mass)
        floor = max(
            MIN_COUNT,
            int(ranked[-1]) // _FLOOR_RATIO,
            int(ranked[-min(4 * num_wanted, _BUCKETS)]),
        )
        queue = cls(floor, [], {})
        places = np.concatenate(list(_places_in(cells, mass >= floor)))
        keys = cells.symbols[places].astype(np.uint32) * num_symbols + cells.symbols[places + 1]
        if num_symbols == _BYTES:
            keys = keys.astype(np.uint16)
        for key, count, where in _groups(keys, places, cells.weights[places], floor):
            queue.push(divmod(key, num_symbols), count, where)
        return queue


def _bucket_mass(cells: Cells) -> Array:
    """Return the weight of the pairs in each hash bucket: no pair in it weighs more."""
    mass = np.zeros(_BUCKETS)
    for start in range(0, len(cells.symbols), _CHUNK):
        buckets, real = _buckets(cells.symbols[start : start + _CHUNK + 1])
        weights = cells.weights[start : start + len(buckets)] * real
        mass += np.bincount(buckets, weights=weights, minlength=_BUCKETS)
    return mass


def _places_in(cells: Cells, hot: Array) -> Iterator[Array]:
    for start in range(0, len(cells.symbols), _CHUNK):
        buckets, real = _buckets(cells.symbols[start : start + _CHUNK + 1])
        yield (np.flatnonzero(hot[buckets] & real) + start).astype(np.int32)


def _buckets(symbols: Array) -> tuple[Array, Array]:
    """Hash each adjacent pair, and say which pairs lie inside a piece."""
    left, right = symbols[:-1], symbols[1:]
    buckets = (left.astype(np.int64) * 40_503 + right) & (_BUCKETS - 1)
    return buckets, (left != _SEPARATOR) & (right != _SEPARATOR)


def _groups(
    keys: Array, places: Array, weights: Array, floor: int
) -> Iterator[tuple[int, int, Array]]:
    """Yield key, weight and places, in order, of every key that weighs at least `floor`."""
    if not len(keys):
        return
    order = np.argsort(keys, kind="stable")
    keys, places = keys[order], places[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    ends = np.append(starts[1:], len(keys))
    mass = np.add.reduceat(weights[order], starts, dtype=np.int64)
    for group in np.flatnonzero(mass >= floor).tolist():
        start, end = starts[group], ends[group]
        yield int(keys[start]), int(mass[group]), places[start:end]


def _merge_from_queue(cells: Cells, queue: _Queue, merges: list[Pair], num_merges: int) -> None:
    """Merge the most frequent pair until none above the floor is left, or all are found."""
    while queue.heap and len(merges) < num_merges:
        bound, pair = heapq.heappop(queue.heap)
        places = cells.occurrences(queue.places.pop(pair), pair)
        count = int(cells.weights[places].sum(dtype=np.int64))
        if count < -bound:
            if count >= queue.floor:
                queue.push(pair, count, places)
            continue
        if pair[0] == pair[1]:
            places = _without_overlap(places, int(cells.lengths[pair[0]]))
        symbol = _BYTES + len(merges)
        merges.append(pair)
        cells.merge(places, pair, symbol)
        _queue_neighbours(cells, queue, places, symbol)


def _queue_neighbours(cells: Cells, queue: _Queue, places: Array, symbol: int) -> None:
    """Queue the pairs that a new symbol forms with the symbols on its left and its right."""
    weights = cells.weights[places]
    left = cells.symbols[places - 1]
    right = cells.symbols[places + int(cells.lengths[symbol])]
    for other, mass, chosen in _heavy(right, weights, queue.floor):
        queue.push((symbol, other), mass, places[chosen])
    before = places - cells.lengths[left]
    for other, mass, chosen in _heavy(left, weights, queue.floor):
        if other != symbol:  # The pair of the symbol with itself is queued already.
            queue.push((other, symbol), mass, before[chosen])


def _heavy(others: Array, weights: Array, floor: int) -> Iterator[tuple[int, int, Array]]:
    """Yield symbol, weight and the indices of its occurrences, for symbols above the floor."""
    mass = np.bincount(others, weights=weights, minlength=_BYTES)
    mass[_SEPARATOR] = 0
    hot = mass >= floor
    if not hot.any():
        return
    chosen = np.flatnonzero(hot[others])
    yield from _groups(others[chosen], chosen, weights[chosen], floor)


def _without_overlap(places: Array, length: int) -> Array:
    """Keep every second place of a run: `aaa` holds the pair `aa` once, counted from the left."""
    index = np.arange(len(places))
    starts_run = np.ones(len(places), dtype=bool)
    starts_run[1:] = np.diff(places) != length
    run_start = np.maximum.accumulate(np.where(starts_run, index, 0))
    kept: Array = places[(index - run_start) % 2 == 0]
    return kept


if __name__ == "__main__":
    sample = ["春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。"] * 3
    print(learn_merges(sample, 20))
