"""Soft targets of a teacher's likeliest tokens: what the tail as one bucket gives and what not."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hanlin.objectives.divergences import divergence
from hanlin.objectives.soft_targets import (
    Mix,
    Predictions,
    fused_soft_cross_entropy,
    mean_log_probs,
    plain_soft_cross_entropy,
)
from hanlin.objectives.top_k import TopK, top_k_divergence, top_k_of

DIVERGENCES = ["forward", "reverse", "jensen-shannon"]
VOCABULARY = 200


def _states(rows: int, width: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, width, generator=generator)
    return hidden, torch.randn(VOCABULARY, width, generator=generator) / 2


def _taught(rows: int, seed: int, mix: Mix, teachers: int = 2) -> list[Predictions]:
    return [Predictions(*_states(rows, 8 + n, seed + n)) for n in range(teachers)]


def _kept(teachers: list[Predictions], mix: Mix, k: int) -> TopK:
    return top_k_of(mean_log_probs(teachers, slice(None), mix.temperature), k)


@settings(deadline=None, max_examples=30)
@given(
    rows=st.integers(1, 12),
    chunk=st.integers(1, 5),
    kept=st.sampled_from([1, 5, 64, VOCABULARY]),
    seed=st.integers(0, 500),
    kind=st.sampled_from(DIVERGENCES),
    temperature=st.sampled_from([1.0, 2.0]),
    confidence=st.sampled_from([0.0, 0.1]),
)
def test_loss_parts_and_gradients_equal_the_reference(
    rows, chunk, kept, seed, kind, temperature, confidence
):
    hidden, head = _states(rows, 16, seed)
    targets = torch.randint(VOCABULARY, (rows,), generator=torch.Generator().manual_seed(seed))
    mix = Mix(0.6, temperature, kind, confidence)
    goal = _kept(_taught(rows, seed + 1, mix), mix, kept)
    weights = torch.rand(rows, generator=torch.Generator().manual_seed(seed))
    leaves = hidden.clone().requires_grad_(), head.clone().requires_grad_()
    fused = fused_soft_cross_entropy(*leaves, targets, goal, mix, weights=weights, rows=chunk)
    plain = plain_soft_cross_entropy(*leaves, targets, goal, mix, weights=weights)
    torch.testing.assert_close(fused.total, plain.total, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(fused.parts, plain.parts, rtol=1e-5, atol=1e-4)
    ours = torch.autograd.grad(fused.total, leaves)
    theirs = torch.autograd.grad(plain.total, leaves)
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("kind", DIVERGENCES)
def test_with_the_whole_vocabulary_it_is_the_plain_loss(kind):
    mix = Mix(0.5, 2.0, kind, 0.1)
    taught = _taught(9, 3, mix)
    hidden, head = _states(9, 16, 1)
    leaves = hidden.requires_grad_(), head.requires_grad_()
    targets = torch.arange(9)
    found = [
        fused_soft_cross_entropy(*leaves, targets, teachers, mix)
        for teachers in (taught, _kept(taught, mix, VOCABULARY))
    ]
    torch.testing.assert_close(found[1].total, found[0].total, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(found[1].parts, found[0].parts, rtol=1e-5, atol=1e-4)
    whole, kept = (torch.autograd.grad(loss.total, leaves) for loss in found)
    for one, other in zip(kept, whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=2e-5)


@settings(deadline=None, max_examples=30)
@given(kept=st.integers(1, VOCABULARY - 1), seed=st.integers(0, 500))
def test_what_is_missing_is_the_divergence_within_the_tail(kept, seed):
    generator = torch.Generator().manual_seed(seed)
    log_p, log_s = (2 * torch.randn(2, 6, VOCABULARY, generator=generator)).log_softmax(-1)
    goal = top_k_of(log_p, kept)
    found = top_k_divergence(goal, log_s, "forward")[0]
    whole = divergence(log_p, log_s, "forward")[0]
    outside = torch.ones_like(log_p).scatter(1, goal.ids, 0.0).bool()
    tails = [log.masked_fill(~outside, -torch.inf).log_softmax(-1) for log in (log_p, log_s)]
    inside = (tails[0].exp() * (tails[0] - tails[1])).masked_fill(~outside, 0.0).sum(-1)
    torch.testing.assert_close(whole - found, goal.tail.exp() * inside, rtol=1e-3, atol=1e-4)
    assert (found <= whole + 1e-4).all()


def test_sixty_four_of_a_peaked_teacher_are_close_to_all():
    generator = torch.Generator().manual_seed(1)
    size = 4096
    decay = -1.3 * torch.arange(1, size + 1).log()  # as steep as words are common
    log_p = torch.stack([decay[torch.randperm(size, generator=generator)] for _ in range(40)])
    log_p = log_p.log_softmax(-1)
    log_s = (log_p + 0.5 * torch.randn(40, size, generator=generator)).log_softmax(-1)
    goal = top_k_of(log_p, 64)
    found, direction = top_k_divergence(goal, log_s, "forward")
    whole, full = divergence(log_p, log_s, "forward")
    tail = goal.tail.exp()
    assert 0.15 < tail.mean() < 0.2
    # Within the tail the student is off by half a nat a token, of which the divergence is half the
    # square; the gradient is wrong by no more than the mass that can be in the wrong places.
    assert ((whole - found) <= 0.25 * tail).all()
    assert ((direction - full).abs().sum(-1) <= tail).all()


@pytest.mark.parametrize("kind", DIVERGENCES)
def test_a_student_that_agrees_has_nothing_to_learn_from_the_bucket(kind):
    log_p = torch.randn(5, VOCABULARY, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    found, direction = top_k_divergence(top_k_of(log_p, 8), log_p, kind)
    torch.testing.assert_close(found, torch.zeros(5), atol=1e-6, rtol=0)
    torch.testing.assert_close(direction, torch.zeros_like(direction), atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", DIVERGENCES)
def test_the_gradient_leaves_the_sum_of_the_logits_alone(kind):
    log_p, log_s = torch.randn(2, 5, 64, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    direction = top_k_divergence(top_k_of(log_p, 8), log_s, kind)[1]
    torch.testing.assert_close(direction.sum(-1), torch.zeros(5), atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", DIVERGENCES)
def test_logits_of_any_size_stay_finite(kind):
    hidden, head = _states(5, 16, 3)
    goal = top_k_of((-1e4 * hidden @ head.t()).log_softmax(-1), 4)
    student = (1e4 * hidden).requires_grad_()
    mix = Mix(0.5, 1.0, kind, 0.1)
    loss = fused_soft_cross_entropy(student, head, torch.zeros(5, dtype=torch.long), goal, mix)
    (gradient,) = torch.autograd.grad(loss.total, student)
    assert torch.isfinite(loss.total)
    assert torch.isfinite(gradient).all()


def test_rounded_values_are_a_distribution_again():
    log_p = torch.randn(50, 300, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    kept = top_k_of(log_p, 20)
    read = TopK.scaled(kept.ids, kept.log_probs.half().float(), kept.tail)
    torch.testing.assert_close(read.classes.exp().sum(-1), torch.ones(50))
    torch.testing.assert_close(read.log_probs, kept.log_probs, rtol=1e-3, atol=1e-3)
