"""HQQ: 4-bit zeros that suit most weights and let a few be far off; needs no text.

    min over z of || W - s (round(W / s + z) - z) ||_p        p = 0.7

Half-quadratic quantisation (Badri and Shaji 2023, mobiusml.github.io/hqq_blog) splits off the error
E and alternates two closed forms, under a weight b that grows: E shrinks towards zero by the norm's
proximal step, then z is the mean of what puts W - E on the grid. The best z met is kept, so that
the result is never worse by its own measure than rounding to nearest.

Shapes: N rows, K columns, G groups.

    python -m hanlin.compression.hqq
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from hanlin.compression.rounding import Grid, fit_grid
from hanlin.models.packing import Packed

__all__ = ["half_quadratic", "norm_of_error"]

_P = 0.7
_BETA, _GROWTH, _ROUNDS = 10.0, 1.01, 20


def half_quadratic(weight: Tensor, *, group: int, rounds: int = _ROUNDS) -> Packed:
    """Return a matrix (N, K) in 4 bits with zeros that make ||W - Q||_0.7 small."""
    weight = weight.float()
    grid = fit_grid(weight, bits=4, group=group)
    best, least = grid, norm_of_error(weight, grid)
    beta = _BETA
    for _ in range(rounds):
        codes = grid.round(weight)
        error = _shrink(weight - grid.values(codes), beta)
        grid = replace(grid, zeros=_fit_zeros(weight - error, codes, grid))
        found = norm_of_error(weight, grid)
        better = found < least
        least = torch.where(better, found, least)
        best = replace(best, zeros=torch.where(better, grid.zeros, best.zeros))
        beta *= _GROWTH
    return best.pack(best.round(weight))


def norm_of_error(weight: Tensor, grid: Grid) -> Tensor:
    """Return sum |w - q|^p of each group (N, G)."""
    gaps = (weight - grid.values(grid.round(weight))).abs() ** _P
    return _grouped(gaps, grid).sum(2)


def _shrink(error: Tensor, beta: float) -> Tensor:
    """Return the proximal step of |e|^p: small errors vanish, large ones stay."""
    size = error.abs()
    return error.sign() * F.relu(size - size.clamp(min=1e-8) ** (_P - 1) / beta)


def _fit_zeros(target: Tensor, codes: Tensor, grid: Grid) -> Tensor:
    """Return the mean of c - w / s over each group, as it is stored."""
    scales = grid.scales.repeat_interleave(grid.group, 1)[:, : codes.shape[1]]
    sums = _grouped(codes - target / scales, grid).sum(2)
    sizes = _grouped(torch.ones_like(target[:1]), grid).sum(2)
    return (sums / sizes).half().float()


def _grouped(values: Tensor, grid: Grid) -> Tensor:
    groups = grid.scales.shape[1]
    padded = F.pad(values, (0, groups * grid.group - values.shape[1]))
    return padded.view(-1, groups, grid.group)  # (N, G, g)


if __name__ == "__main__":
    matrix = torch.randn(64, 128, generator=torch.Generator().manual_seed(1)) ** 3
    plain = fit_grid(matrix, bits=4, group=64)
    gap = half_quadratic(matrix, group=64).dequantise().float() - matrix
    print(f"rounded {norm_of_error(matrix, plain).sum():.0f}, hqq {(gap.abs() ** _P).sum():.0f}")
