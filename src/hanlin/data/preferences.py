"""Preference pairs as rows: the preferred reply and the rejected one, never apart.

A row holds two halves of equal width, the preferred one first; each is one example with its prompt,
written as `hanlin.data.examples` does (hidden where it is only read), padded on the right:

    c_0 ... c_n  -1 ... -1 | r_0 ... r_m  -1 ... -1

So no batch, microbatch or process ever gets one without the other.

    python -m hanlin.data.preferences
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hanlin.data.packing import PADDING

__all__ = ["PreferenceRows"]

_Example = NDArray[np.int32]


@dataclass(frozen=True)
class PreferenceRows:
    """Pairs as rows of 2 W numbers, W as wide as the longest example."""

    numbers: NDArray[np.int32] = field(repr=False)
    """All rows, (N, 2 W)."""

    @classmethod
    def pack(cls, pairs: Sequence[tuple[_Example, _Example]]) -> PreferenceRows:
        """Lay out (preferred, rejected) pairs of `hide_tokens`."""
        width = max(len(example) for pair in pairs for example in pair)
        numbers = np.full((len(pairs), 2 * width), PADDING, dtype=np.int32)
        for row, (preferred, rejected) in zip(numbers, pairs, strict=True):
            row[: len(preferred)] = preferred
            row[width : width + len(rejected)] = rejected
        return cls(numbers)

    @property
    def num_rows(self) -> int:
        """Pairs in an epoch."""
        return len(self.numbers)

    @property
    def width(self) -> int:
        """Numbers of a half."""
        return int(self.numbers.shape[1]) // 2

    def row(self, number: int, epoch_key: int) -> NDArray[np.int32]:
        """Return pair `number`, (2 W,)."""
        del epoch_key
        row: NDArray[np.int32] = self.numbers[number]
        return row


if __name__ == "__main__":
    better, worse = np.array([-2, -12, 5, 0]), np.array([-2, -12, 7])
    print(PreferenceRows.pack([(better.astype(np.int32), worse.astype(np.int32))]).row(0, 0))
