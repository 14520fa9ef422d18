"""The fused cross-entropy is the plain one, chunk by chunk."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hanlin.objectives import fused_cross_entropy, plain_cross_entropy
from hanlin.objectives.cross_entropy import chunk_rows


def _case(rows: int, seed: int = 0, scale: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, 16, generator=generator) * scale
    head = torch.randn(40, 16, generator=generator)
    return hidden, head, torch.randint(40, (rows,), generator=generator)


def _gradients(loss: Tensor, *leaves: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, leaves))


@settings(deadline=None, max_examples=30)
@given(rows=st.integers(1, 30), chunk=st.integers(1, 12), seed=st.integers(0, 1000))
def test_loss_and_gradients_equal_the_reference_for_any_chunk(
    rows: int, chunk: int, seed: int
) -> None:
    hidden, head, targets = _case(rows, seed)
    weights = torch.rand(rows, generator=torch.Generator().manual_seed(seed)).round(decimals=1)
    for given_weights in (None, weights):
        leaves = hidden.clone().requires_grad_(), head.clone().requires_grad_()
        fused = fused_cross_entropy(*leaves, targets, weights=given_weights, rows=chunk)
        plain = plain_cross_entropy(*leaves, targets, weights=given_weights)
        torch.testing.assert_close(fused, plain, rtol=1e-5, atol=1e-5)
        for ours, theirs in zip(
            _gradients(fused, *leaves), _gradients(plain, *leaves), strict=True
        ):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_a_factor_on_the_loss_reaches_the_gradients() -> None:
    hidden, head, targets = _case(7)
    hidden.requires_grad_()
    plain = _gradients(3 * plain_cross_entropy(hidden, head, targets), hidden)
    fused = _gradients(3 * fused_cross_entropy(hidden, head, targets, rows=2), hidden)
    torch.testing.assert_close(fused, plain)


def test_huge_logits_overflow_nowhere() -> None:
    hidden, head, targets = _case(6, scale=1e4)
    fused = fused_cross_entropy(hidden, head, targets, rows=4)
    assert torch.isfinite(fused)
    torch.testing.assert_close(fused, plain_cross_entropy(hidden, head, targets))


def test_bf16_keeps_the_loss_in_fp32() -> None:
    hidden, head, targets = _case(50)
    fused = fused_cross_entropy(hidden.bfloat16(), head.bfloat16(), targets)
    assert fused.dtype == torch.float32
    torch.testing.assert_close(
        fused, plain_cross_entropy(hidden, head, targets), rtol=1e-2, atol=0.0
    )


def test_bf16_gradients_are_close_to_those_of_fp32() -> None:
    hidden, head, targets = _case(50)
    wide = hidden.requires_grad_(), head.requires_grad_()
    narrow = hidden.detach().bfloat16().requires_grad_(), head.detach().bfloat16().requires_grad_()
    theirs = _gradients(plain_cross_entropy(*wide, targets), *wide)
    ours = _gradients(fused_cross_entropy(*narrow, targets, rows=8), *narrow)
    for mine, reference in zip(ours, theirs, strict=True):
        assert mine.dtype == torch.bfloat16
        assert (mine.float() - reference).norm() < 0.02 * reference.norm()


def test_no_gradient_is_computed_that_nobody_asked_for() -> None:
    hidden, head, targets = _case(5)
    head.requires_grad_()
    fused_cross_entropy(hidden, head, targets).backward()
    assert hidden.grad is None
    assert head.grad is not None


@pytest.mark.parametrize(("vocab_size", "rows"), [(1_000, 16_777), (50_304, 512)])
def test_a_chunk_is_64_mib_but_never_less_than_512_rows(vocab_size: int, rows: int) -> None:
    assert chunk_rows(vocab_size) == rows
