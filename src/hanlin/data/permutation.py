"""A random order that needs no memory: a keyed permutation of 0..n-1, evaluated where it is asked.

A four-round Feistel network over the next power of four permutes the numbers; a value that falls
outside 0..n-1 is sent through again until it falls inside ("cycle walking", Black and Rogaway
2002). The order of a corpus of any size is therefore a pure function of (seed, epoch, position).

    python -m hanlin.data.permutation
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["hash_integers", "permute"]

Integers = NDArray[np.uint64]
_ROUNDS = 4


def permute(positions: NDArray[np.integer], size: int, key: int) -> NDArray[np.int64]:
    """Map positions in 0..size-1 to their places in the permutation that `key` selects.

    >>> sorted(permute(np.arange(10), 10, key=3).tolist()) == list(range(10))
    True
    """
    half_bits = max(1, ((size - 1).bit_length() + 1) // 2)
    values = _feistel(positions.astype(np.uint64), half_bits, key)
    outside = values >= size
    while outside.any():
        values[outside] = _feistel(values[outside], half_bits, key)
        outside = values >= size
    return values.astype(np.int64)


def hash_integers(*values: int) -> int:
    """Mix integers into one well-spread 64-bit integer."""
    state = np.zeros(1, dtype=np.uint64)
    for value in values:
        state = _splitmix(state ^ np.uint64(value & 0xFFFFFFFFFFFFFFFF))
    return int(state[0])


def _feistel(values: Integers, half_bits: int, key: int) -> Integers:
    mask = np.uint64((1 << half_bits) - 1)
    left, right = values >> np.uint64(half_bits), values & mask
    for number in range(_ROUNDS):
        round_key = np.uint64(hash_integers(key, number))
        left, right = right, left ^ (_splitmix(right ^ round_key) & mask)
    return (left << np.uint64(half_bits)) | right


def _splitmix(values: Integers) -> Integers:
    # Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators".
    with np.errstate(over="ignore"):
        values = values + np.uint64(0x9E3779B97F4A7C15)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


if __name__ == "__main__":
    print(permute(np.arange(12), 12, key=1), permute(np.arange(12), 12, key=2))
