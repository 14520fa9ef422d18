"""A teacher's K likeliest tokens, and all others as one bucket: soft targets that fit on a disk.

With S the K tokens, p_R = 1 - sum_S p and s_R = 1 - sum_S s the mass of the rest, a divergence is
taken over K + 1 classes; the forward one is

    D_K = sum_S p_i log(p_i / s_i) + p_R log(p_R / s_R)

By the log sum inequality (Cover and Thomas 2006, theorem 2.7.1) it is never more than the full D,
and the chain rule says what is missing: D - D_K = p_R KL(p given R, s given R). It is the full one
where K = V. The gradient by a logit of S is that of its class; in the rest a class's gradient goes
to the tokens in proportion to s, for the forward D: s_j - p_R s_j / s_R. So the student keeps its
own order in the tail and learns only how much belongs there. The K probabilities alone, scaled up
to a sum of one, would ask for no tail at all, and are a biased target (Anshumann et al. 2025,
arXiv:2503.16870).

    python -m hanlin.objectives.top_k

N rows (tokens), V vocabulary, K kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hanlin.objectives.divergences import divergence, plain_divergence

__all__ = ["TopK", "plain_top_k_divergence", "top_k_divergence", "top_k_of"]

_LEAST = torch.finfo(torch.float32).tiny
"""The mass of a tail that is empty: a bucket of no probability whose logarithm is finite."""


@dataclass(frozen=True, slots=True)
class TopK:
    """What of a teacher's predictions is kept: probabilities that sum to one with the tail's."""

    ids: Tensor
    """The likeliest tokens (N, K), int64."""
    log_probs: Tensor
    """Their log-probabilities (N, K), fp32."""
    tail: Tensor
    """The logarithm of the mass of all others (N,), fp32."""

    @classmethod
    def scaled(cls, ids: Tensor, log_probs: Tensor, tail: Tensor) -> TopK:
        """Return rounded values as a distribution again: divided by their sum."""
        total = torch.logaddexp(log_probs.logsumexp(-1), tail)
        return cls(ids, log_probs - total[:, None], tail - total)

    @property
    def classes(self) -> Tensor:
        """The log-probabilities of the K tokens and of the bucket, (N, K + 1)."""
        return torch.cat((self.log_probs, self.tail[:, None]), dim=-1)

    def rows(self, here: slice) -> TopK:
        """Return some of the rows."""
        return TopK(self.ids[here], self.log_probs[here], self.tail[here])


def top_k_of(log_p: Tensor, k: int) -> TopK:
    """Return the `k` likeliest of each row of log-probabilities (N, V), and the mass of the rest.

    >>> found = top_k_of(torch.tensor([[0.5, 0.2, 0.3]]).log(), 1)
    >>> found.ids.tolist(), round(found.tail.exp().item(), 4)
    ([[0]], 0.5)
    """
    log_probs, ids = log_p.topk(k, dim=-1)
    return TopK(ids, log_probs, _outside(log_p, ids).sum(-1).clamp_min(_LEAST).log())


def top_k_divergence(goal: TopK, log_s: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """Return D_K of each row (N,) and its gradient by the logits that s comes from (N, V)."""
    outside = log_s.exp().scatter_(1, goal.ids, 0.0)
    mass = outside.sum(-1, keepdim=True).clamp_min(_LEAST)
    classes = torch.cat((log_s.gather(1, goal.ids), mass.log()), dim=-1)
    found, pull = divergence(goal.classes, classes, kind)
    direction = outside.mul_(pull[:, -1:] / mass)
    return found, direction.scatter_(1, goal.ids, pull[:, :-1])


def plain_top_k_divergence(goal: TopK, log_s: Tensor, kind: str) -> Tensor:
    """Return the same D_K (N,), to be differentiated by autograd: the reference."""
    mass = _outside(log_s, goal.ids).sum(-1, keepdim=True).clamp_min(_LEAST)
    classes = torch.cat((log_s.gather(1, goal.ids), mass.log()), dim=-1)
    return plain_divergence(goal.classes, classes, kind)


def _outside(log_p: Tensor, ids: Tensor) -> Tensor:
    """Return the probabilities (N, V) with zero in place of the named tokens'.

    The mass of the rest is summed from these: as 1 - sum_S it would be lost to rounding.
    """
    return log_p.exp().scatter(1, ids, 0.0)


if __name__ == "__main__":
    generator = torch.Generator().manual_seed(0)
    taught, learnt = (3 * torch.randn(2, 4, 512, generator=generator)).log_softmax(-1)
    for kept in (1, 8, 64, 512):
        print(kept, top_k_divergence(top_k_of(taught, kept), learnt, "forward")[0].tolist())
