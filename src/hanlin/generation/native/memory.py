"""Which sessions of the core lie ready for a later text with the same beginning, and for how long.

A session holds the keys and values of one text in a stretch of its own. What a text leaves behind
is parked until its memory is needed; the one used least recently goes first. A later text copies
the beginning that it has in common with a parked or a running one, which is to the bit what reading
it anew would leave.

    python -m hanlin.generation.native.memory
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Kept", "SessionMemory", "common_length"]


@dataclass(eq=False, slots=True)
class Kept:
    """A session with the tokens that it has read."""

    session: Any
    tokens: NDArray[np.int64]
    blocks: int
    """Its memory, which is there for the whole of its text."""


class SessionMemory:
    """How much memory sessions take, in blocks, and those that are parked."""

    def __init__(self, num_blocks: int, block_tokens: int) -> None:
        """Begin with nothing held."""
        self.num_blocks, self.block_tokens = num_blocks, block_tokens
        self.held = 0
        """Blocks that texts hold."""
        self.evictions = 0
        """Blocks of parked sessions that were given up for another text."""
        self._parked: list[Kept] = []  # the one used least recently first

    @property
    def available(self) -> int:
        """Blocks that no text holds, those of parked sessions among them."""
        return self.num_blocks - self.held

    @property
    def registered(self) -> int:
        """Blocks of parked sessions."""
        return sum(kept.blocks for kept in self._parked)

    def match(self, prompt: Sequence[int], running: Iterable[Kept]) -> tuple[Any, int]:
        """Return the session with the longest beginning in common, and how long that is."""
        tokens = np.asarray(prompt, dtype=np.int64)
        best, longest = None, 0
        for kept in [*self._parked, *running]:
            length = common_length(kept.tokens, tokens)
            if length > longest:
                best, longest = kept, length
        if best is None:
            return None, 0
        if best in self._parked:
            self._parked.remove(best)
            self._parked.append(best)
        return best.session, longest

    def take(self, blocks: int) -> None:
        """Hold memory that is available; parked sessions give way."""
        assert blocks <= self.available
        while self.held + self.registered + blocks > self.num_blocks:
            self.evictions += self._parked.pop(0).blocks
        self.held += blocks

    def give_back(self, kept: Kept, *, park: bool) -> None:
        """Let go of a text's memory, which stays until it is needed if it is parked."""
        self.held -= kept.blocks
        if park and len(kept.tokens):
            self._parked.append(kept)


def common_length(one: NDArray[np.int64], other: NDArray[np.int64]) -> int:
    """Return how many tokens two texts have in common at their beginning.

    >>> common_length(np.array([5, 6, 7]), np.array([5, 6, 8, 9]))
    2
    """
    shorter = min(len(one), len(other))
    differs = one[:shorter] != other[:shorter]
    return int(differs.argmax()) if differs.any() else shorter


if __name__ == "__main__":
    memory = SessionMemory(num_blocks=8, block_tokens=2)
    memory.take(3)
    memory.give_back(Kept("first", np.array([5, 6, 7]), 3), park=True)
    print(memory.match([5, 6, 9], []), memory.available, memory.registered)
