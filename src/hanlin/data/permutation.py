"""A random order that needs no memory: a keyed permutation of 0..n-1, evaluated where it is asked.

A four-round Feistel network over the next power of four permutes the numbers; a value that falls
outside 0..n-1 is sent through again until it falls inside ("cycle walking", Black and Rogaway
2002). The order of a corpus of any size is therefore a pure function of (seed, epoch, position).

    python -m hanlin.data.permutation
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["hash_integers", "permute", "permute_one"]

Integers = NDArray[np.uint64]
_ROUNDS = 4
_BITS = 0xFFFFFFFFFFFFFFFF
_STEP, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


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


def permute_one(position: int, size: int, key: int) -> int:
    """Return what `permute` maps one position to, without an array, which is much faster for one.

    >>> [permute_one(n, 10, key=3) for n in range(10)] == permute(np.arange(10), 10, key=3).tolist()
    True
    """
    half_bits = max(1, ((size - 1).bit_length() + 1) // 2)
    mask, value = (1 << half_bits) - 1, position
    while True:
        left, right = value >> half_bits, value & mask
        for round_key in _round_keys(key):
            left, right = right, left ^ (_mix(right ^ round_key) & mask)
        value = (left << half_bits) | right
        if value < size:
            return value


def hash_integers(*values: int) -> int:
    """Mix integers into one well-spread 64-bit integer."""
    state = 0
    for value in values:
        state = _mix(state ^ (int(value) & _BITS))
    return state


def _feistel(values: Integers, half_bits: int, key: int) -> Integers:
    mask = np.uint64((1 << half_bits) - 1)
    left, right = values >> np.uint64(half_bits), values & mask
    for round_key in _round_keys(key):
        left, right = right, left ^ (_splitmix(right ^ np.uint64(round_key)) & mask)
    return (left << np.uint64(half_bits)) | right


@lru_cache(maxsize=256)
def _round_keys(key: int) -> tuple[int, ...]:
    return tuple(hash_integers(key, number) for number in range(_ROUNDS))


def _splitmix(values: Integers) -> Integers:
    # Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators".
    with np.errstate(over="ignore"):
        values = values + np.uint64(_STEP)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(_FIRST)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(_SECOND)
    return values ^ (values >> np.uint64(31))


def _mix(value: int) -> int:
    """Return what `_splitmix` makes of one number."""
    value = (value + _STEP) & _BITS
    value = (value ^ (value >> 30)) * _FIRST & _BITS
    value = (value ^ (value >> 27)) * _SECOND & _BITS
    return value ^ (value >> 31)


if __name__ == "__main__":
    print(permute(np.arange(12), 12, key=1), permute(np.arange(12), 12, key=2))
