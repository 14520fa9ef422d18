"""Weights of few bits from numbers, in numpy: the plain rounding of `hanlin.compression.rounding`.

For measuring a size in 8 or 4 bits without writing a folder; a released folder is quantised by
`hanlin quantize`, which has better methods and says what they cost. A test holds the two equal.

    python -m hanlin.generation.native.rounding
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hanlin.models.packed_config import num_groups

__all__ = ["Codes", "round_int4", "round_int8"]

Floats = NDArray[np.float32]
_TINY = np.float32(2.0**-20)


class Codes(NamedTuple):
    """A matrix of few bits, as the core takes it."""

    codes: NDArray[np.int8] | NDArray[np.uint8]
    """(N, K) int8, or (N, ceil(K/2)) uint8."""
    scales: NDArray[np.float32] | NDArray[np.float16]
    """(N,) float32 at 8 bits, (N, G) float16 at 4."""
    zeros: NDArray[np.float16] | None
    """(N, G) at 4 bits."""


def round_int8(weight: Floats) -> Codes:
    """Return a matrix (N, K) with a scale a row."""
    scales = np.abs(weight).max(1) / np.float32(127)
    scales = np.where(scales > 0, scales, np.float32(1))
    codes = np.clip(np.rint(weight / scales[:, None]), -127, 127).astype(np.int8)
    return Codes(codes, scales, None)


def round_int4(weight: Floats, group: int) -> Codes:
    """Return a matrix (N, K) with a scale and a zero for each group of columns."""
    rows, columns = weight.shape
    groups = num_groups(columns, group)
    padded = np.zeros((rows, groups * group), dtype=np.float32)
    padded[:, :columns] = weight
    parts = padded.reshape(rows, groups, group)
    high, low = parts.max(2).clip(min=0), parts.min(2).clip(max=0)
    scales = ((high - low) / np.float32(15)).clip(min=_TINY).astype(np.float16)
    wide = scales.astype(np.float32)
    zeros = (-low / wide).astype(np.float16)
    shifted = parts / wide[:, :, None] + zeros.astype(np.float32)[:, :, None]
    codes = np.clip(np.rint(shifted), 0, 15).astype(np.uint8).reshape(rows, -1)[:, :columns]
    half = -(-columns // 2)
    packed = codes[:, :half].copy()
    packed[:, : columns - half] |= codes[:, half:] << 4
    return Codes(packed, scales, zeros)


if __name__ == "__main__":
    matrix = np.random.default_rng(1).standard_normal((64, 96), dtype=np.float32)
    print(round_int8(matrix).codes.dtype, round_int4(matrix, 32).scales.shape)
