"""Grids, rounding and packing."""

from __future__ import annotations

import pytest
import torch

from hanlin.compression.rounding import fit_grid, round_to_nearest
from hanlin.models.packing import pack_nibbles, packed_shapes, unpack_nibbles


def matrix(rows: int, columns: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("columns", [1, 2, 7, 32, 33, 97])
def test_nibbles_come_back_exactly_for_odd_and_even_sizes(columns):
    codes = torch.randint(0, 16, (5, columns), generator=torch.Generator().manual_seed(columns))
    packed = pack_nibbles(codes)
    assert packed.shape == (5, (columns + 1) // 2)
    assert torch.equal(unpack_nibbles(packed, columns), codes.to(torch.uint8))


@pytest.mark.parametrize(("bits", "group"), [(8, 64), (4, 32), (4, 64), (4, 128)])
@pytest.mark.parametrize("columns", [5, 64, 100])
def test_no_weight_moves_by_more_than_half_a_step(bits, group, columns):
    weight = matrix(6, columns)
    packed = round_to_nearest(weight, bits=bits, group=group)
    grid = fit_grid(weight, bits=bits, group=group)
    steps = grid.scales.repeat_interleave(grid.group, 1)[:, :columns]
    gap = (packed.dequantise().float() - weight).abs()
    # Zeros and scales are stored in float16, so the ends of a range may lie a little outside.
    assert (gap <= 0.5 * steps * 1.02 + 1e-3 * weight.abs()).all()
    shapes = packed_shapes(6, columns, bits, group)
    assert shapes["codes"] == tuple(packed.codes.shape)
    assert shapes["scales"] == tuple(packed.scales.shape)


def test_what_lies_on_the_grid_is_not_changed():
    weight = round_to_nearest(matrix(4, 64), bits=8, group=64).dequantise()
    again = round_to_nearest(weight, bits=8, group=64).dequantise()
    torch.testing.assert_close(again, weight, rtol=1e-6, atol=0)


@pytest.mark.parametrize("bits", [8, 4])
def test_rows_of_zeros_stay_zeros(bits):
    packed = round_to_nearest(torch.zeros(3, 40), bits=bits, group=32)
    assert torch.equal(packed.dequantise().float(), torch.zeros(3, 40))


def test_smaller_groups_round_better():
    weight = matrix(16, 256) ** 3
    errors = [
        float((round_to_nearest(weight, bits=4, group=g).dequantise().float() - weight).norm())
        for g in (32, 64, 128)
    ]
    assert errors == sorted(errors)
