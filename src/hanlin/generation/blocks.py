"""Which block of a paged cache holds what: tables, reference counts, and reuse of beginnings.

A block holds the keys and values of `block_tokens` tokens of a text. Once it is full and read, it
can be registered under (what stands before it, its tokens). A later text with the same beginning
then takes the block over, read-only, in place of reading those tokens again; a count of references
says how many texts hold it. The key contains the tokens themselves and not a digest, so that two
beginnings never pass for one another.

A registered block that no text holds any more stays until its memory is needed; the least recently
used goes first. New blocks are taken as a row of neighbours where there is one, because such a text
is read without being gathered: of all rows, the one whose last use lies furthest back.

    python -m hanlin.generation.blocks
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

__all__ = ["ROOT", "BlockPool"]

ROOT = 0
"""What stands before the first block of a text."""

_Key = tuple[int, tuple[int, ...]]


class BlockPool:
    """Bookkeeping of `num_blocks` blocks; it holds numbers only, the memory lies elsewhere."""

    def __init__(self, num_blocks: int, block_tokens: int) -> None:
        """Begin with all blocks free."""
        self.num_blocks, self.block_tokens = num_blocks, block_tokens
        self.references = np.zeros(num_blocks, np.int64)
        self._last_use = np.full(num_blocks, -1.0)  # -1: holds nothing that is worth keeping
        self._key: list[_Key | None] = [None] * num_blocks
        self._name = [ROOT] * num_blocks  # of the registered content, never used twice
        self._index: dict[_Key, int] = {}
        self._clock = 0
        self._names = ROOT
        self.evictions = 0
        """Registered blocks whose memory was taken for another text."""

    @property
    def held(self) -> int:
        """Blocks that texts hold."""
        return self.num_blocks - self.available

    @property
    def available(self) -> int:
        """Blocks that no text holds, registered ones among them."""
        return int(np.count_nonzero(self.references == 0))

    @property
    def registered(self) -> int:
        """Blocks that a later text can take over."""
        return len(self._index)

    def match(self, tokens: Sequence[int]) -> list[int]:
        """Return the blocks that hold the longest registered beginning of a text, in order."""
        found: list[int] = []
        name, size = ROOT, self.block_tokens
        for start in range(0, len(tokens) - size + 1, size):
            block = self._index.get((name, tuple(tokens[start : start + size])))
            if block is None:
                break
            found.append(block)
            name = self._name[block]
        return found

    def take(self, shared: Sequence[int], count: int) -> list[int] | None:
        """Hold the blocks `shared` (of `match`) and `count` new ones; None if so many are not free.

        Returns the text's table: the shared blocks, then the new ones.
        """
        idle = sum(not self.references[block] for block in shared)
        if count > self.available - idle:
            return None
        for block in shared:
            self.references[block] += 1
        fresh = self._choose(count)
        for block in fresh:
            self._forget(block)
            self.references[block] = 1
        return [*shared, *fresh]

    def register(self, block: int, before: int, tokens: Sequence[int]) -> int:
        """Offer a full block to later texts; `before` names what stands before it.

        Returns the name of the content, which is that of an equal block where there is one.
        """
        key = (before, tuple(tokens))
        if key not in self._index:
            self._names += 1
            self._index[key], self._key[block], self._name[block] = block, key, self._names
        return self._name[self._index[key]]

    def name(self, block: int) -> int:
        """Return the name of what a registered block holds."""
        return self._name[block]

    def release(self, table: Sequence[int]) -> None:
        """Let go of a text's blocks; registered ones stay until their memory is needed."""
        # From the end, so that a beginning is used later than what stands on it and outlives it.
        for block in reversed(table):
            assert self.references[block] > 0, f"block {block} was let go of twice"
            self.references[block] -= 1
            self._clock += 1
            self._last_use[block] = self._clock if self._key[block] else -1

    def _choose(self, count: int) -> list[int]:
        """Return `count` blocks that no text holds: neighbours if possible, else the oldest."""
        age = np.where(self.references > 0, np.inf, self._last_use)
        start = _oldest_window(age, count)
        if start is not None:
            return list(range(start, start + count))
        oldest = np.argsort(age, kind="stable")[:count]
        return sorted(oldest.tolist())

    def _forget(self, block: int) -> None:
        key = self._key[block]
        if key is not None:
            del self._index[key]
            self.evictions += 1
        self._key[block], self._name[block], self._last_use[block] = None, ROOT, -1


def _oldest_window(age: np.ndarray, count: int) -> int | None:
    """Return where the `count` neighbours begin whose youngest is the oldest of all.

    >>> _oldest_window(np.array([3, 1, 2, np.inf, -1, 4]), 2), _oldest_window(np.array([np.inf]), 1)
    (1, None)
    """
    if not 0 < count <= len(age):
        return None
    youngest = sliding_window_view(age, count).max(axis=1)
    start = int(youngest.argmin())
    return None if np.isinf(youngest[start]) else start


if __name__ == "__main__":
    pool = BlockPool(num_blocks=8, block_tokens=2)
    first = pool.take([], 3)
    assert first is not None
    pool.register(first[0], ROOT, [5, 6])
    pool.release(first)
    again = pool.match([5, 6, 7, 8])
    print("taken over:", again, "table:", pool.take(again, 2), "free:", pool.available)
