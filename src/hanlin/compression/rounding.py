"""Round weights to the nearest code (RTN), and the grids of codes that all methods share.

    8 bits, a row       s = max |w| / 127                     c = round(w / s)
    4 bits, a group     s = (max - min) / 15, z = -min / s    c = round(w / s + z)

At 4 bits a group's range always includes zero, so that z lies in [0, 15]. The grid is rounded to
how it is stored (scales of 4 bits in float16) before codes are chosen on it, so that what a method
weighs is what the packed model computes.

Shapes: N rows, K columns, G groups.

    python -m hanlin.compression.rounding
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from hanlin.models.packing import Packed, num_groups, pack_nibbles

__all__ = ["Grid", "fit_grid", "round_to_nearest"]

_TINY = 2.0**-20  # float16 holds this with four bits; below it a group is as good as zero


@dataclass(frozen=True, slots=True)
class Grid:
    """Which numbers the weights of a matrix may take."""

    bits: int
    group: int
    """Columns that share a scale; all of them at 8 bits."""
    scales: Tensor
    """(N, G) in float32."""
    zeros: Tensor
    """(N, G) in float32; 0 at 8 bits."""

    def round(self, weight: Tensor) -> Tensor:
        """Return the nearest codes (N, K) of a whole matrix."""
        return self._clamp(
            torch.round(weight / self._wide(self.scales, weight) + self._wide(self.zeros, weight))
        )

    def values(self, codes: Tensor) -> Tensor:
        """Return the numbers (N, K) of a whole matrix of codes."""
        return (codes - self._wide(self.zeros, codes)) * self._wide(self.scales, codes)

    def round_column(self, column: int, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return the nearest codes (N,) of one column, and their numbers."""
        scale, zero = self.scales[:, column // self.group], self.zeros[:, column // self.group]
        codes = self._clamp(torch.round(weights / scale + zero))
        return codes, (codes - zero) * scale

    def pack(self, codes: Tensor) -> Packed:
        """Return codes (N, K) as they are stored."""
        columns = codes.shape[1]
        if self.bits == 8:
            return Packed(codes.to(torch.int8), self.scales, None, columns, self.group)
        scales, zeros = self.scales.half(), self.zeros.half()
        return Packed(pack_nibbles(codes), scales, zeros, columns, self.group)

    def _clamp(self, codes: Tensor) -> Tensor:
        return codes.clamp(0, 15) if self.bits == 4 else codes.clamp(-127, 127)

    def _wide(self, values: Tensor, like: Tensor) -> Tensor:
        return values.repeat_interleave(self.group, 1)[:, : like.shape[1]]


def fit_grid(weight: Tensor, *, bits: int, group: int) -> Grid:
    """Return the grid that spans each row (8 bits) or group (4 bits) of a matrix."""
    weight = weight.float()
    columns = weight.shape[1]
    if bits == 8:
        scales = weight.abs().amax(1, keepdim=True) / 127
        scales = torch.where(scales > 0, scales, torch.ones_like(scales))
        return Grid(8, columns, scales, torch.zeros_like(scales))
    groups = num_groups(columns, group)
    # Padding with zeros changes no range, since every range includes zero.
    padded = F.pad(weight, (0, groups * group - columns)).view(-1, groups, group)
    high, low = padded.amax(2).clamp(min=0), padded.amin(2).clamp(max=0)
    scales = ((high - low) / 15).clamp(min=_TINY).half().float()
    return Grid(4, group, scales, (-low / scales).half().float())


def round_to_nearest(weight: Tensor, *, bits: int, group: int) -> Packed:
    """Return a matrix (N, K) with each weight at its nearest code."""
    grid = fit_grid(weight, bits=bits, group=group)
    return grid.pack(grid.round(weight.float()))


if __name__ == "__main__":
    matrix = torch.randn(64, 96, generator=torch.Generator().manual_seed(1))
    for width in (8, 4):
        packed = round_to_nearest(matrix, bits=width, group=32)
        gap = (packed.dequantise().float() - matrix).square().mean().sqrt()
        print(f"{width} bits: {packed.nbytes * 8 / matrix.numel():.2f} a weight, error {gap:.4f}")
