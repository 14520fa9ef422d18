"""GPTQ against rounding to nearest."""

from __future__ import annotations

import pytest
import torch

from hanlin.compression import Hessian, gptq, layer_error, round_to_nearest


def correlated(tokens: int, columns: int, seed: int) -> torch.Tensor:
    chance = torch.Generator().manual_seed(seed)
    mixing = torch.randn(columns, columns, generator=chance)
    return torch.randn(tokens, columns, generator=chance) @ mixing


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("act_order", [False, True])
@pytest.mark.parametrize(("bits", "columns"), [(4, 48), (4, 200), (8, 48)])
def test_outputs_are_closer_than_after_rounding_to_nearest(seed, act_order, bits, columns):
    inputs = correlated(400, columns, seed)
    weight = torch.randn(24, columns, generator=torch.Generator().manual_seed(seed))
    hessian = Hessian(columns)
    hessian.add(inputs[:100])
    hessian.add(inputs[100:])
    near = round_to_nearest(weight, bits=bits, group=32)
    better = gptq(weight, hessian.matrix, bits=bits, group=32, act_order=act_order)
    assert layer_error(weight, better, hessian.matrix) < layer_error(weight, near, hessian.matrix)


def test_the_error_is_that_of_the_outputs():
    inputs = correlated(50, 32, 1)
    weight = torch.randn(8, 32, generator=torch.Generator().manual_seed(1))
    packed = round_to_nearest(weight, bits=4, group=32)
    hessian = Hessian(32)
    hessian.add(inputs)
    outputs = inputs @ (packed.dequantise().float() - weight).T
    wanted = 2 * outputs.square().sum(1).mean()
    assert layer_error(weight, packed, hessian.matrix) == pytest.approx(float(wanted), rel=1e-4)


def test_uncorrelated_inputs_leave_nothing_to_make_up_for():
    weight = torch.randn(8, 64, generator=torch.Generator().manual_seed(1))
    near = round_to_nearest(weight, bits=4, group=32)
    result = gptq(weight, torch.eye(64), bits=4, group=32)
    assert torch.equal(result.codes, near.codes)


def test_inputs_that_never_vary_do_not_break_it():
    hessian = torch.eye(32)
    hessian[3] = 0
    weight = torch.randn(4, 32, generator=torch.Generator().manual_seed(1))
    packed = gptq(weight, hessian, bits=4, group=32)
    assert torch.isfinite(packed.dequantise()).all()
