"""GPTQ: round a matrix column by column, and let the columns to come make up for each error.

    H = 2 X^T X / T + damping mean(diag)        of the layer's inputs X (T, K)
    after column k is rounded:  W[:, j] -= (w - q) / U[k, k] U[k, j]   for all j > k

where U^T U = H^-1 with U upper triangular (Frantar et al. 2022, arXiv 2210.17323). Columns are
treated in blocks of 128, the rest of the matrix once a block. With `act_order` the columns with the
largest inputs come first. The grid is fitted beforehand, so that groups of columns lie where they
would lie without it.

Shapes: T tokens, N rows, K columns.

    python -m hanlin.compression.gptq
"""

from __future__ import annotations

import torch
from torch import Tensor

from hanlin.compression.rounding import Grid, fit_grid
from hanlin.models.packing import Packed

__all__ = ["Hessian", "gptq", "layer_error"]

_BLOCK = 128


class Hessian:
    """2 X^T X / T of a layer's inputs, gathered a batch at a time."""

    def __init__(self, columns: int) -> None:
        """Begin with no input."""
        self._sum = torch.zeros(columns, columns, dtype=torch.float64)
        self.tokens = 0

    def add(self, x: Tensor) -> None:
        """Add the inputs (..., K) of some tokens."""
        rows = x.detach().reshape(-1, x.shape[-1]).float()
        self._sum += (rows.T @ rows).double().cpu()
        self.tokens += len(rows)

    @property
    def matrix(self) -> Tensor:
        """The mean over all tokens (K, K) in float64."""
        return 2 * self._sum / max(1, self.tokens)


def gptq(
    weight: Tensor,
    hessian: Tensor,
    *,
    bits: int,
    group: int,
    damping: float = 0.01,
    act_order: bool = True,
) -> Packed:
    """Return a matrix (N, K) rounded so that its outputs on the calibration inputs stay close."""
    grid = fit_grid(weight, bits=bits, group=group)
    hessian = hessian.double()
    order = torch.arange(len(hessian))
    if act_order:
        order = torch.argsort(hessian.diagonal(), descending=True, stable=True)
    factor = _inverse_factor(hessian[order][:, order], damping).float()
    codes = torch.empty(weight.shape, dtype=torch.float32)
    codes[:, order] = _round_columns(weight.float()[:, order], factor, grid, order)
    return grid.pack(codes)


def layer_error(weight: Tensor, packed: Packed, hessian: Tensor) -> float:
    """Return the mean squared error of the layer's outputs on the inputs of `hessian`, times 2."""
    gap = (packed.dequantise().float() - weight.float()).double()
    return float(((gap @ hessian.double()) * gap).sum())


def _inverse_factor(hessian: Tensor, damping: float) -> Tensor:
    """Return the upper triangular U with U^T U = (H + damping mean(diag) I)^-1."""
    size = damping * hessian.diagonal().mean().clamp(min=1e-12)
    damped = hessian + size * torch.eye(len(hessian), dtype=hessian.dtype)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    factor: Tensor = torch.linalg.cholesky(inverse, upper=True)
    return factor


def _round_columns(weight: Tensor, factor: Tensor, grid: Grid, order: Tensor) -> Tensor:
    """Return the codes of columns that stand in the order in which they are treated."""
    weight = weight.clone()
    codes = torch.empty_like(weight)
    for start in range(0, weight.shape[1], _BLOCK):
        stop = min(start + _BLOCK, weight.shape[1])
        errors = torch.zeros(len(weight), stop - start)
        for column in range(start, stop):
            chosen, values = grid.round_column(int(order[column]), weight[:, column])
            error = (weight[:, column] - values) / factor[column, column]
            weight[:, column:stop] -= torch.outer(error, factor[column, column:stop])
            codes[:, column], errors[:, column - start] = chosen, error
        weight[:, stop:] -= errors @ factor[start:stop, stop:]
    return codes


if __name__ == "__main__":
    from hanlin.compression.rounding import round_to_nearest

    chance = torch.Generator().manual_seed(1)
    inputs = torch.randn(512, 96, generator=chance) @ torch.randn(96, 96, generator=chance)
    gathered = Hessian(96)
    gathered.add(inputs)
    matrix = torch.randn(64, 96, generator=chance)
    near = round_to_nearest(matrix, bits=4, group=32)
    better = gptq(matrix, gathered.matrix, bits=4, group=32)
    for name, result in (("nearest", near), ("gptq", better)):
        print(f"{name:8} {layer_error(matrix, result, gathered.matrix):.1f}")
