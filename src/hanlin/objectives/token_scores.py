"""The log-probability of given tokens, with its gradient, a chunk of rows at a time.

What is learnt from the model's own text (policy gradient, unlikelihood, divergence) needs of all
logits only the log-probability of the token that was written. The logits of a chunk are computed
once forward and again backward, so that those of one chunk are held at a time; the entropy of each
distribution falls off on the way.

    python -m hanlin.objectives.token_scores

M rows (tokens), C channels, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from hanlin.objectives.cross_entropy import chunk_rows

__all__ = ["plain_token_scores", "token_scores"]


def token_scores(
    hidden: Tensor, head: Tensor, ids: Tensor, *, rows: int = 0
) -> tuple[Tensor, Tensor]:
    """Return log p (M,) of tokens (M,) under states (M, C) and a head (V, C), and the entropies.

    The entropies (M,) in nats carry no gradient.
    """
    size = rows or chunk_rows(head.shape[0])
    pieces = [
        checkpoint(
            plain_token_scores,
            hidden[start : start + size],
            head,
            ids[start : start + size],
            use_reentrant=False,
            preserve_rng_state=False,
        )
        for start in range(0, hidden.shape[0], size)
    ]
    logprobs, entropies = zip(*pieces, strict=True)
    return torch.cat(logprobs), torch.cat(entropies)


def plain_token_scores(hidden: Tensor, head: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Return the same with all logits at once: the reference."""
    logprobs = F.linear(hidden, head).float().log_softmax(-1)  # (M, V)
    spread = logprobs.detach()
    entropies = -(spread.exp() * spread).sum(-1)
    return logprobs.gather(-1, ids[:, None])[:, 0], entropies


if __name__ == "__main__":
    chance = torch.Generator().manual_seed(1)
    states = torch.randn(6, 8, generator=chance, requires_grad=True)
    print(token_scores(states, torch.randn(9, 8, generator=chance), torch.arange(6), rows=4))
