"""Cross-entropy from hidden states, without ever holding all logits.

The logits of a step are its largest tensor by far: 8,192 tokens x 50,304 entries are 1.6 GB in
fp32, and autograd keeps them twice. Here the rows are taken in chunks. For each, the logits are
computed, turned in place into their own gradient, softmax(z) - onehot(target), and multiplied at
once into the gradients of the hidden states and of the head's matrix; backward only hands these
out. The idea is that of Cut Cross-Entropy (Wijmans et al. 2024, arXiv:2411.09009) and of Liger's
fused linear cross-entropy (Hsu et al. 2024, arXiv:2410.10989), in plain PyTorch. Products run in
the working dtype, log-sum-exp and softmax in fp32.

    python -m hanlin.objectives.cross_entropy

N rows (tokens), C channels, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

__all__ = ["chunk_rows", "fused_cross_entropy", "plain_cross_entropy"]

_CHUNK_BYTES = 64 * 2**20
_LEAST_ROWS = 512


def fused_cross_entropy(
    hidden: Tensor, head: Tensor, targets: Tensor, *, weights: Tensor | None = None, rows: int = 0
) -> Tensor:
    """Return the summed cross-entropy in nats as an fp32 scalar.

    Args:
        hidden: hidden states (N, C).
        head: the head's matrix (V, C).
        targets: token ids (N,), int64.
        weights: fp32 weight of each row (N,); without them each row counts once.
        rows: rows a chunk; 0 takes `chunk_rows`.

    >>> hidden, head = torch.zeros(3, 4), torch.zeros(8, 4)
    >>> round(fused_cross_entropy(hidden, head, torch.tensor([1, 2, 3])).item(), 4)  # 3 ln 8
    6.2383
    """
    size = rows or chunk_rows(head.shape[0])
    return _FusedCrossEntropy.apply(  # type: ignore[no-untyped-call,no-any-return]
        hidden, head, targets, weights, size
    )


def plain_cross_entropy(
    hidden: Tensor, head: Tensor, targets: Tensor, *, weights: Tensor | None = None
) -> Tensor:
    """Return the same sum with all logits at once: the reference, and the slow way."""
    logits = F.linear(hidden, head).float()  # (N, V)
    if weights is None:
        return F.cross_entropy(logits, targets, reduction="sum")
    return (F.cross_entropy(logits, targets, reduction="none") * weights).sum()


def chunk_rows(vocab_size: int) -> int:
    """Return how many rows a chunk holds: 64 MiB of fp32 logits, at least 512 rows.

    Measured on two cores: smaller chunks lose time, because each adds to the whole (V, C) gradient
    of the head (256 rows cost 5 % and 64 rows 35 % at V = 50,304); larger ones gain nothing.
    """
    return max(_LEAST_ROWS, _CHUNK_BYTES // (4 * vocab_size))


class _FusedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor | None, size: int
    ) -> Tensor:
        total = hidden.new_zeros((), dtype=torch.float32)
        wants_hidden, wants_head = ctx.needs_input_grad[:2]
        grad_hidden = torch.empty_like(hidden) if wants_hidden else None
        grad_head = torch.zeros_like(head, dtype=torch.float32) if wants_head else None
        for start in range(0, hidden.shape[0], size):
            part = slice(start, start + size)
            share = None if weights is None else weights[part]
            loss, slope = _chunk(hidden[part], head, targets[part], share)
            total += loss
            slope = slope.to(hidden.dtype)  # (n, V)
            if grad_hidden is not None:
                torch.mm(slope, head, out=grad_hidden[part])
            if grad_head is not None:
                _add_product(grad_head, slope, hidden[part])
        ctx.grads = grad_hidden, None if grad_head is None else grad_head.to(head.dtype)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        grads = ctx.grads
        ctx.grads = None
        return *(None if g is None else g.mul_(grad) for g in grads), None, None, None


def _chunk(
    hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return a chunk's loss and, in the logits' own memory, the gradient by the logits."""
    logits = torch.mm(hidden, head.t()).float()  # (n, V)
    index = targets[:, None]
    chosen = logits.gather(1, index)
    peak = logits.amax(-1, keepdim=True)
    scores = logits.sub_(peak).exp_()
    normaliser = scores.sum(-1, keepdim=True)
    losses = (peak - chosen + normaliser.log()).squeeze(1)
    slope = scores.div_(normaliser)
    slope.scatter_add_(1, index, slope.new_full((1, 1), -1.0).expand_as(index))
    if weights is None:
        return losses.sum(), slope
    return torch.dot(losses, weights), slope.mul_(weights[:, None])


def _add_product(total: Tensor, slope: Tensor, hidden: Tensor) -> None:
    """Add slope.T @ hidden to the fp32 (V, C) gradient."""
    if slope.dtype == total.dtype:
        total.addmm_(slope.t(), hidden)
    else:
        total += torch.mm(slope.t(), hidden)


if __name__ == "__main__":
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(1000, 64, generator=generator, requires_grad=True)
    matrix = torch.randn(4096, 64, generator=generator, requires_grad=True)
    ids = torch.randint(4096, (1000,), generator=generator)
    print(fused_cross_entropy(states, matrix, ids).item())
    print(plain_cross_entropy(states, matrix, ids).item())
