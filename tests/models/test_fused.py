"""Each lean operation beside its plain reference: values and gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from hanlin.models import fused

EPS = 1e-6


def numbers(*shape: int, seed: int = 0) -> Tensor:
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return (drawn * 2 + 0.5).requires_grad_()


def check(lean: Callable[..., Tensor], plain: Callable[..., Tensor], *inputs: Tensor) -> None:
    leaves = [value for value in inputs if value.requires_grad]
    found, wanted = lean(*inputs), plain(*inputs)
    torch.testing.assert_close(found, wanted)
    weights = numbers(*wanted.shape, seed=9).detach().to(wanted.dtype)
    for ours, theirs in zip(
        torch.autograd.grad(found, leaves, weights),
        torch.autograd.grad(wanted, leaves, weights),
        strict=True,
    ):
        scale = theirs.float().abs().max().clamp(min=1e-6)
        tolerance = 2e-6 if theirs.dtype == torch.float32 else 2e-2
        assert ((ours - theirs).abs().max() / scale) < tolerance


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("width", [8, 96])
def test_rms_norm_equals_its_reference(width, dtype):
    x = numbers(3, 5, 2, width).detach().to(dtype).requires_grad_()
    weight = numbers(width, seed=1).detach().to(dtype).requires_grad_()
    check(
        lambda a, w: fused.rms_norm(a, w, EPS),
        lambda a, w: fused.rms_norm_reference(a, w, EPS),
        x,
        weight,
    )


def test_rms_norm_of_a_slice_equals_that_of_a_copy():
    whole = numbers(3, 5, 6, 8)
    check(
        lambda a, w: fused.rms_norm(a[:, :, 2:4], w, EPS),
        lambda a, w: fused.rms_norm_reference(a[:, :, 2:4], w, EPS),
        whole,
        numbers(8, seed=1),
    )


def test_rms_norm_of_constant_and_zero_rows_is_finite():
    for value in (0.0, 3.0):
        x = torch.full((2, 8), value, requires_grad=True)
        check(
            lambda a, w: fused.rms_norm(a, w, EPS),
            lambda a, w: fused.rms_norm_reference(a, w, EPS),
            x,
            numbers(8),
        )


def test_rms_norm_without_gradients_has_the_same_values():
    x, weight = numbers(3, 16), numbers(16, seed=1)
    with torch.no_grad():
        torch.testing.assert_close(
            fused.rms_norm(x, weight, EPS), fused.rms_norm_reference(x, weight, EPS)
        )


def test_rotate_equals_its_reference():
    angles = numbers(5, 1, 4).detach()
    check(fused.rotate, fused.rotate_reference, numbers(3, 5, 2, 8), angles.cos(), angles.sin())


def test_rotate_keeps_lengths():
    x, angles = numbers(3, 5, 2, 8), numbers(5, 1, 4).detach()
    turned = fused.rotate(x, angles.cos(), angles.sin())
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))


def test_swiglu_equals_its_reference():
    check(fused.swiglu, fused.swiglu_reference, numbers(3, 5, 16))
