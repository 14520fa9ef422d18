"""Matrices of few bits: integer codes with scales (and zeros), and the way back to numbers.

    8 bits   w = s c            one scale s a row, c in [-127, 127]           codes (N, K) int8
    4 bits   w = s (c - z)      a scale and a zero a group of columns,        codes (N, K/2) uint8
                                c in [0, 15]

A byte of 4-bit codes holds column k in its low half and column k + K/2 in its high half, so that
unpacking writes two contiguous blocks. Where K is odd the last high half is empty.

Shapes: N rows (outputs), K columns (inputs), G groups of columns.

    python -m hanlin.models.packing
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hanlin.models.packed_config import num_groups, packed_shapes

__all__ = [
    "Packed",
    "dequantise_rows",
    "num_groups",
    "pack_nibbles",
    "packed_shapes",
    "unpack_nibbles",
]


@dataclass(frozen=True, slots=True)
class Packed:
    """A matrix of few bits."""

    codes: Tensor
    """(N, K) int8, or (N, ceil(K/2)) uint8."""
    scales: Tensor
    """(N, 1) at 8 bits, (N, G) at 4."""
    zeros: Tensor | None
    """(N, G) at 4 bits, None at 8."""
    columns: int
    """K."""
    group: int
    """Columns that share a scale at 4 bits; the last group may be shorter."""

    def dequantise(self) -> Tensor:
        """Return the matrix (N, K) in the type of its scales."""
        return dequantise_rows(self.codes, self.scales, self.zeros, self.columns, self.group)

    @property
    def nbytes(self) -> int:
        """Bytes of codes, scales and zeros."""
        zeros = 0 if self.zeros is None else self.zeros.nbytes
        return self.codes.nbytes + self.scales.nbytes + zeros


def dequantise_rows(
    codes: Tensor, scales: Tensor, zeros: Tensor | None, columns: int, group: int
) -> Tensor:
    """Return rows (..., K) of numbers for rows of codes, in the type of their scales."""
    if zeros is None:
        return codes.to(scales.dtype) * scales
    plain = unpack_nibbles(codes, columns).to(scales.dtype)  # (..., K)
    groups = scales.shape[-1]
    if columns == groups * group:
        grouped = plain.view(*plain.shape[:-1], groups, group)  # (..., G, g)
        return grouped.sub_(zeros[..., None]).mul_(scales[..., None]).flatten(-2)
    shift = zeros.repeat_interleave(group, -1)[..., :columns]
    return plain.sub_(shift).mul_(scales.repeat_interleave(group, -1)[..., :columns])


def pack_nibbles(codes: Tensor) -> Tensor:
    """Return codes (..., K) in [0, 15] as bytes (..., ceil(K/2)).

    >>> pack_nibbles(torch.tensor([[1, 2, 3]])).tolist()
    [[49, 2]]
    """
    codes = codes.to(torch.uint8)
    half = -(-codes.shape[-1] // 2)
    packed = codes[..., :half].clone()
    packed[..., : codes.shape[-1] - half] |= codes[..., half:] << 4
    return packed


def unpack_nibbles(packed: Tensor, columns: int) -> Tensor:
    """Return the codes (..., K) of bytes (..., ceil(K/2)).

    >>> unpack_nibbles(torch.tensor([[49, 2]], dtype=torch.uint8), 3).tolist()
    [[1, 2, 3]]
    """
    return torch.cat((packed & 15, packed >> 4), -1)[..., :columns]


if __name__ == "__main__":
    numbers = torch.randint(0, 16, (2, 7), generator=torch.Generator().manual_seed(1))
    print(numbers.tolist(), pack_nibbles(numbers).tolist())
    print(unpack_nibbles(pack_nibbles(numbers), 7).tolist())
