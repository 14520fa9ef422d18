"""Unlikelihood: what a model must not say loses probability (Welleck et al. 2019, 1908.04319).

    L = - sum_c w_c log(1 - p(c | x_<t)),        1 - p clamped at 1e-5

On the tokens of the text, the candidates c are the earlier tokens of the row within a window,
without the true one; beside them, the likeliest token where it is wrong and sure of itself. On the
model's own continuations, they are its own tokens inside n-grams that it has written before.

`fused_token_losses` takes the first kind together with the cross-entropy, a chunk of rows at a
time, as `hanlin.objectives.cross_entropy` does and never with all logits at once. With
a_c = w_c p_c / (1 - p_c) for the candidates and 0 elsewhere, the gradient by logit j is
a_j - p_j sum_c a_c. `plain_token_losses` says the same in plain loops.

    python -m hanlin.objectives.unlikelihood

N rows (tokens), C channels, V vocabulary, W window, R continuations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from hanlin.objectives.cross_entropy import chunk_rows
from hanlin.objectives.next_token import IGNORED

__all__ = [
    "LEAST_REST",
    "TokenLosses",
    "TokenMix",
    "TokenTargets",
    "earlier_tokens",
    "fused_token_losses",
    "plain_token_losses",
    "repeated_tokens",
    "unlikelihood",
]

LEAST_REST = 1e-5
"""1 - p counts as at least this."""


@dataclass(frozen=True, slots=True)
class TokenMix:
    """How much each loss on the tokens of the text counts."""

    cross_entropy: float = 1.0
    unlikelihood: float = 0.0
    confidence: float = 0.0
    confident_above: float = 0.5
    """The probability above which the likeliest token, if wrong, is penalised."""


@dataclass(frozen=True, slots=True)
class TokenTargets:
    """What is said, and what must not be."""

    ids: Tensor
    """True tokens (N,), int64."""
    weights: Tensor | None
    """fp32 weight of each row (N,); without them each row counts once."""
    earlier: Tensor
    """Earlier tokens (N, W); IGNORED where there is none."""
    allowed: Tensor
    """1 for tokens that may be penalised, 0 for exempt ones, (V,) fp32."""


class TokenLosses(NamedTuple):
    """Summed losses; `total` alone carries a gradient."""

    total: Tensor
    cross_entropy: Tensor
    unlikelihood: Tensor
    confidence: Tensor


def earlier_tokens(inputs: Tensor, window: int, eot_id: int) -> Tensor:
    """Return for each place the tokens read by then, in its document and window: (B, T, W).

    The last of them is the input itself. Places before the document's start hold IGNORED.
    """
    document = (inputs == eot_id).cumsum(1)  # (B, T)
    before = (window - 1, 0)
    tokens = F.pad(inputs, before, value=IGNORED).unfold(1, window, 1)
    documents = F.pad(document, before, value=-1).unfold(1, window, 1)
    return torch.where(documents == document[:, :, None], tokens, IGNORED)


def repeated_tokens(ids: Tensor, written: Tensor, size: int) -> Tensor:
    """Return which tokens (R, N) stand in an n-gram of `size` that came before in their row.

    `written` tells the tokens of a row from what fills it up.
    """
    places = ids.shape[1] - size + 1
    if places < 2:
        return torch.zeros_like(written)
    same = (ids[:, :, None] == ids[:, None, :]) & written[:, :, None] & written[:, None, :]
    grams = torch.stack([same[:, k : places + k, k : places + k] for k in range(size)]).all(0)
    again = grams.tril(-1).any(2)  # (R, places)
    marked = torch.zeros_like(written)
    for k in range(size):
        marked[:, k : places + k] |= again
    return marked


def unlikelihood(logprobs: Tensor) -> Tensor:
    """Return -log(1 - p), clamped, of log-probabilities of any shape."""
    return -(1 - logprobs.exp()).clamp_min(LEAST_REST).log()


def fused_token_losses(
    hidden: Tensor, head: Tensor, targets: TokenTargets, mix: TokenMix, *, rows: int = 0
) -> TokenLosses:
    """Return the losses of hidden states (N, C) under a head (V, C), a chunk of rows at a time."""
    size = rows or chunk_rows(head.shape[0])
    return TokenLosses(*_Fused.apply(hidden, head, targets, mix, size))  # type: ignore[no-untyped-call]


def plain_token_losses(
    hidden: Tensor, head: Tensor, targets: TokenTargets, mix: TokenMix
) -> TokenLosses:
    """Return the same, token by token: the reference, and the slow way."""
    sums = [hidden.new_zeros((), dtype=torch.float32) for _ in range(3)]
    for n, true in enumerate(targets.ids.tolist()):
        logprobs = F.linear(hidden[n], head).float().log_softmax(-1)  # (V,)
        weight = 1.0 if targets.weights is None else float(targets.weights[n])
        sums[0] = sums[0] - weight * logprobs[true]
        for token in {*targets.earlier[n].tolist()} - {IGNORED, true}:
            sums[1] = sums[1] + weight * targets.allowed[token] * unlikelihood(logprobs[token])
        likeliest = int(logprobs.detach().argmax())
        if likeliest != true and float(logprobs[likeliest].detach().exp()) > mix.confident_above:
            penalty = unlikelihood(logprobs[likeliest])
            sums[2] = sums[2] + weight * targets.allowed[likeliest] * penalty
    factors = (mix.cross_entropy, mix.unlikelihood, mix.confidence)
    total = sum((f * s for f, s in zip(factors, sums, strict=True)), start=0 * sums[0])
    return TokenLosses(total, *(one.detach() for one in sums))


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, head: Tensor, targets: TokenTargets, mix: TokenMix, size: int
    ) -> tuple[Tensor, ...]:
        sums = hidden.new_zeros(3, dtype=torch.float32)
        grad_hidden, grad_head = (
            torch.empty_like(hidden),
            torch.zeros_like(head, dtype=torch.float32),
        )
        for start in range(0, hidden.shape[0], size):
            part = slice(start, start + size)
            losses, slope = _chunk(hidden[part], head, targets, part, mix)
            sums += losses
            slope = slope.to(hidden.dtype)  # (n, V)
            torch.mm(slope, head, out=grad_hidden[part])
            grad_head += torch.mm(slope.t(), hidden[part])
        ctx.grads = grad_hidden, grad_head.to(head.dtype)
        factors = sums.new_tensor([mix.cross_entropy, mix.unlikelihood, mix.confidence])
        parts = [one.clone() for one in sums]
        ctx.mark_non_differentiable(*parts)
        return (torch.dot(sums, factors), *parts)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        grads = ctx.grads
        ctx.grads = None
        return *(g.mul_(grad) for g in grads), None, None, None


def _chunk(
    hidden: Tensor, head: Tensor, targets: TokenTargets, part: slice, mix: TokenMix
) -> tuple[Tensor, Tensor]:
    """Return a chunk's three losses and the gradient of their mixture by the logits (n, V)."""
    true, earlier = targets.ids[part, None], targets.earlier[part]  # (n, 1), (n, W)
    surprise, chances = _predict(hidden, head, true)
    bans = torch.zeros_like(chances)
    # The true token stands in for what is not there, and is taken out at the end.
    bans.scatter_(1, torch.where(earlier == IGNORED, true, earlier), 1.0)
    bans.scatter_(1, true, 0.0).mul_(targets.allowed)
    penalty, pull = _penalise(chances, bans)
    most, likeliest = chances.max(1, keepdim=True)
    sure = (most > mix.confident_above) & (likeliest != true)
    sure_weight = sure * targets.allowed[likeliest]  # (n, 1)
    boast, sure_pull = _penalise(most, sure_weight)
    pull.mul_(mix.unlikelihood).scatter_add_(1, likeliest, mix.confidence * sure_pull)
    slope = chances.mul_(mix.cross_entropy - pull.sum(1, keepdim=True)).add_(pull)
    slope.scatter_add_(1, true, slope.new_full((1, 1), -mix.cross_entropy).expand_as(true))
    losses = torch.stack((surprise, penalty, boast))  # (3, n)
    if targets.weights is not None:
        weights = targets.weights[part]
        losses, slope = losses * weights, slope.mul_(weights[:, None])
    return losses.sum(1), slope


def _predict(hidden: Tensor, head: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """Return -log p of the true tokens (n,) and all probabilities (n, V)."""
    logits = torch.mm(hidden, head.t()).float()
    chosen = logits.gather(1, true)
    peak = logits.amax(-1, keepdim=True)
    scores = logits.sub_(peak).exp_()
    normaliser = scores.sum(-1, keepdim=True)
    return (peak - chosen + normaliser.log())[:, 0], scores.div_(normaliser)


def _penalise(chances: Tensor, bans: Tensor) -> tuple[Tensor, Tensor]:
    """Return each row's -sum w log(1 - p), and w p / (1 - p) in the memory of the weights w."""
    banned = bans.nonzero(as_tuple=True)
    chance, weight = chances[banned], bans[banned]
    rest = 1 - chance
    costs = -weight * rest.clamp_min(LEAST_REST).log()
    bans[banned] = torch.where(rest > LEAST_REST, weight * chance / rest, 0.0)
    return chances.new_zeros(len(chances)).index_add_(0, banned[0], costs), bans


if __name__ == "__main__":
    print(repeated_tokens(torch.tensor([[1, 2, 3, 1, 2, 4]]), torch.ones(1, 6).bool(), 2).int())
