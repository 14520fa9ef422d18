"""HQQ against rounding to nearest."""

from __future__ import annotations

import pytest
import torch

from hanlin.compression import half_quadratic, round_to_nearest


def error(weight: torch.Tensor, packed) -> float:
    return float(((packed.dequantise().float() - weight).abs() ** 0.7).sum())


@pytest.mark.parametrize("columns", [32, 64, 75])
def test_its_own_norm_of_the_error_is_smaller_on_heavy_tails(columns):
    weight = torch.randn(16, columns, generator=torch.Generator().manual_seed(2)) ** 3
    plain = round_to_nearest(weight, bits=4, group=32)
    moved = half_quadratic(weight, group=32)
    assert error(weight, moved) < 0.95 * error(weight, plain)
    assert moved.nbytes == plain.nbytes


def test_without_rounds_it_is_rounding_to_nearest():
    weight = torch.randn(4, 64, generator=torch.Generator().manual_seed(3))
    plain = round_to_nearest(weight, bits=4, group=32)
    same = half_quadratic(weight, group=32, rounds=0)
    assert torch.equal(same.codes, plain.codes) and torch.equal(same.zeros, plain.zeros)


def test_zeros_stay_zeros():
    assert not half_quadratic(torch.zeros(2, 40), group=32).dequantise().any()
