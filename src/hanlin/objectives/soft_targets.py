"""Cross-entropy mixed with a divergence from teachers' soft targets, without ever holding logits.

    (1 - a) CE(y, q) + a tau^2 D(p, q_tau) - b H(q),    p = mean over teachers of softmax(t / tau)

(Hinton et al. 2015, arXiv:1503.02531; the last term is the confidence penalty of Pereyra et
al. 2017, arXiv:1701.06548). The gradient by q's logits is known in closed form: that of D
(`hanlin.objectives.divergences`) times tau, since tau^2 meets one 1 / tau, and q (log q + H) for
-H. So the rows go in chunks as they do in `hanlin.objectives.cross_entropy`: a teacher gives its
hidden states and its head, and the logits of both models live for one chunk only. Or the teachers'
likeliest tokens are known already (`hanlin.objectives.top_k`), and no teacher is needed.

    python -m hanlin.objectives.soft_targets

N rows (tokens), C channels, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from hanlin.objectives.cross_entropy import chunk_rows
from hanlin.objectives.divergences import divergence, plain_divergence
from hanlin.objectives.top_k import TopK, plain_top_k_divergence, top_k_divergence

__all__ = [
    "Mix",
    "Predictions",
    "SoftLoss",
    "fused_soft_cross_entropy",
    "mean_log_probs",
    "plain_soft_cross_entropy",
]


class Predictions(NamedTuple):
    """One teacher's predictions, not yet multiplied out."""

    hidden: Tensor
    """Hidden states (N, C)."""
    head: Tensor
    """The head's matrix (V, C)."""


@dataclass(frozen=True, slots=True)
class Mix:
    """How much each term weighs."""

    soft: float = 0.0
    """a: share of the soft targets."""
    temperature: float = 1.0
    """tau."""
    divergence: str = "forward"
    """D."""
    confidence: float = 0.0
    """b: weight of the confidence penalty."""


class SoftLoss(NamedTuple):
    """Sums over the rows, in nats."""

    total: Tensor
    """What is learnt from."""
    parts: Tensor
    """CE, tau^2 D and H, each by itself and without a gradient: (3,) fp32."""


def fused_soft_cross_entropy(
    hidden: Tensor,
    head: Tensor,
    targets: Tensor,
    teachers: Sequence[Predictions] | TopK,
    mix: Mix,
    *,
    weights: Tensor | None = None,
    rows: int = 0,
) -> SoftLoss:
    """Return the mixed loss, summed over rows.

    Args:
        hidden: the student's hidden states (N, C).
        head: its head's matrix (V, C).
        targets: token ids (N,), int64.
        teachers: whose probabilities are averaged, or the likeliest tokens of that mean at
            `mix.temperature`; none where `mix.soft` is 0.
        mix: how much each term weighs.
        weights: fp32 weight of each row (N,); without them each row counts once.
        rows: rows a chunk; 0 takes `chunk_rows`.
    """
    size = rows or chunk_rows(head.shape[0])
    total, parts = _FusedSoft.apply(  # type: ignore[no-untyped-call]
        hidden, head, targets, teachers, mix, weights, size
    )
    return SoftLoss(total, parts)


def plain_soft_cross_entropy(
    hidden: Tensor,
    head: Tensor,
    targets: Tensor,
    teachers: Sequence[Predictions] | TopK,
    mix: Mix,
    *,
    weights: Tensor | None = None,
) -> SoftLoss:
    """Return the same with all logits at once, differentiated by autograd: the reference."""
    logits = F.linear(hidden, head).float()  # (N, V)
    log_q = logits.log_softmax(-1)
    cross_entropy = F.nll_loss(log_q, targets, reduction="none")
    entropy = -(log_q.exp() * log_q).sum(-1)
    soft = torch.zeros_like(entropy)
    if mix.soft:
        log_s = (logits / mix.temperature).log_softmax(-1)
        goal = _goal(teachers, slice(None), mix)
        soft = mix.temperature**2 * _plainly_towards(goal, log_s, mix.divergence)
    losses = (1 - mix.soft) * cross_entropy + mix.soft * soft - mix.confidence * entropy
    share = torch.ones_like(losses) if weights is None else weights
    parts = torch.stack((cross_entropy, soft, entropy)).detach() @ share
    return SoftLoss((losses * share).sum(), parts)


class _FusedSoft(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        head: Tensor,
        targets: Tensor,
        teachers: Sequence[Predictions] | TopK,
        mix: Mix,
        weights: Tensor | None,
        size: int,
    ) -> tuple[Tensor, Tensor]:
        total = hidden.new_zeros((), dtype=torch.float32)
        parts = hidden.new_zeros(3, dtype=torch.float32)
        wants_hidden, wants_head = ctx.needs_input_grad[:2]
        grad_hidden = torch.empty_like(hidden) if wants_hidden else None
        grad_head = torch.zeros_like(head, dtype=torch.float32) if wants_head else None
        for start in range(0, hidden.shape[0], size):
            here = slice(start, start + size)
            goal = _goal(teachers, here, mix) if mix.soft else None
            logits = torch.mm(hidden[here], head.t()).float()  # (n, V)
            losses, slope, found = _chunk(logits, targets[here], goal, mix)
            share = torch.ones_like(losses) if weights is None else weights[here]
            total += torch.dot(losses, share)
            parts += found @ share
            slope = slope.mul_(share[:, None]).to(hidden.dtype)
            if grad_hidden is not None:
                torch.mm(slope, head, out=grad_hidden[here])
            if grad_head is not None:
                grad_head += torch.mm(slope.t(), hidden[here])
        ctx.grads = grad_hidden, None if grad_head is None else grad_head.to(head.dtype)
        ctx.mark_non_differentiable(parts)
        return total, parts

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, unused: Tensor) -> tuple[Tensor | None, ...]:
        grads = ctx.grads
        ctx.grads = None
        return *(None if g is None else g.mul_(grad) for g in grads), None, None, None, None, None


def _chunk(
    logits: Tensor, targets: Tensor, goal: Tensor | TopK | None, mix: Mix
) -> tuple[Tensor, Tensor, Tensor]:
    """Return each row's loss (n,), the gradient by the logits (n, V), and the parts (3, n)."""
    log_q = logits.log_softmax(-1)
    q = log_q.exp()
    index = targets[:, None]
    cross_entropy = -log_q.gather(1, index).squeeze(1)
    slope = q * (1 - mix.soft)
    slope.scatter_add_(1, index, slope.new_full((1, 1), mix.soft - 1).expand_as(index))
    entropy = -torch.linalg.vecdot(q, log_q)
    if mix.confidence:
        slope.addcmul_(q, log_q + entropy[:, None], value=mix.confidence)
    soft = torch.zeros_like(entropy)
    if goal is not None:
        tau = mix.temperature
        log_s = log_q if tau == 1.0 else logits.div_(tau).log_softmax(-1)
        soft, direction = _towards(goal, log_s, mix.divergence)
        soft *= tau**2
        slope.add_(direction, alpha=mix.soft * tau)
    losses = (1 - mix.soft) * cross_entropy + mix.soft * soft - mix.confidence * entropy
    return losses, slope, torch.stack((cross_entropy, soft, entropy))


def _towards(goal: Tensor | TopK, log_s: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    if isinstance(goal, TopK):
        return top_k_divergence(goal, log_s, kind)
    return divergence(goal, log_s, kind)


def _plainly_towards(goal: Tensor | TopK, log_s: Tensor, kind: str) -> Tensor:
    if isinstance(goal, TopK):
        return plain_top_k_divergence(goal, log_s, kind)
    return plain_divergence(goal, log_s, kind)


def _goal(teachers: Sequence[Predictions] | TopK, rows: slice, mix: Mix) -> Tensor | TopK:
    """Return what the student should say in some rows: all log-probabilities, or the likeliest."""
    if isinstance(teachers, TopK):
        return teachers.rows(rows)
    return mean_log_probs(teachers, rows, mix.temperature)


def mean_log_probs(teachers: Sequence[Predictions], rows: slice, temperature: float) -> Tensor:
    """Return the logarithm of the teachers' mean probability (n, V)."""
    total: Tensor | None = None
    for teacher in teachers:
        logits = torch.mm(teacher.hidden[rows], teacher.head.t()).float()
        log_p = logits.div_(temperature).log_softmax(-1)
        total = log_p if total is None else torch.logaddexp(total, log_p)
    assert total is not None, "soft targets need a teacher"
    return total - math.log(len(teachers)) if len(teachers) > 1 else total


if __name__ == "__main__":
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(1000, 64, generator=generator, requires_grad=True)
    matrix = torch.randn(4096, 64, generator=generator, requires_grad=True)
    ids = torch.randint(4096, (1000,), generator=generator)
    taught = [Predictions(torch.randn(1000, 32), torch.randn(4096, 32))]
    for loss in (fused_soft_cross_entropy, plain_soft_cross_entropy):
        print(loss(states, matrix, ids, taught, Mix(soft=0.5, temperature=2.0)).total.item())
