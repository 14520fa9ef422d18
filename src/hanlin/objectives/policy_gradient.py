"""Policy gradient over a group of sampled continuations, and its relatives.

    leave one out   A_i = r_i - mean of the others' r;  L = - sum_i A_i log p(y_i) / (G N)
                    (REINFORCE, Williams 1992; RLOO, Kool et al. 2019, Ahmadian et al. 2402.14740)
    self-critical   A_i = r_i - r(greedy continuation)       (Rennie et al. 2016, 1612.00563)
    minimum risk    L = - sum_i q_i r_i,  q ~ p(y)^alpha over the group (Shen et al. 1512.02433)

Advantages are divided neither by the group's spread, which favours groups that are easy or hard,
nor by each continuation's own length, which favours long bad ones: the one divisor is the constant
number N of tokens that may be written (Liu et al. 2025, 2503.20783). A group whose rewards are all
the same teaches nothing and is left out.

The divergence from a frozen reference is k3 = exp(d) - 1 - d with d = log q - log p, an unbiased
estimate of KL(p || q) that is never negative; it is a term of the loss and no part of the reward.

    python -m hanlin.objectives.policy_gradient

S prefixes, G continuations of each, N tokens written at most.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = [
    "divergence",
    "leave_one_out",
    "minimum_risk",
    "reinforce",
    "self_critical",
]

_SAME = 1e-6
_LARGEST_GAP = 20.0


def leave_one_out(rewards: Tensor) -> Tensor:
    """Return each continuation's advantage over the others of its group, for rewards (S, G).

    >>> leave_one_out(torch.tensor([[1.0, 0.0, 2.0], [0.1, 0.1, 0.1]])).tolist()
    [[0.0, -1.5, 1.5], [0.0, 0.0, 0.0]]
    """
    others = (rewards.sum(1, keepdim=True) - rewards) / (rewards.shape[1] - 1)
    return _without_noise(rewards - others)


def self_critical(rewards: Tensor, greedy: Tensor) -> Tensor:
    """Return advantages of rewards (S, G) over those of the greedy continuations (S,)."""
    return _without_noise(rewards - greedy[:, None])


def reinforce(logprobs: Tensor, credit: Tensor) -> Tensor:
    """Return - sum credit log p over the tokens (S, G, N), a token that might have been written.

    `credit` (S, G, N) is 0 where nothing was written. Groups without any credit are left out of
    the divisor too.
    """
    kept = int((credit != 0).flatten(1).any(1).sum())
    tokens = logprobs[0].numel()
    return -(logprobs * credit).sum() / (max(1, kept) * tokens)


def minimum_risk(logprobs: Tensor, written: Tensor, rewards: Tensor, sharpness: float) -> Tensor:
    """Return minus the expected reward (S, G) under the group's own sharpened probabilities."""
    sequences = (logprobs * written).sum(2)  # (S, G)
    shares = (sharpness * sequences).softmax(1)
    # A constant taken off changes no gradient, and lets a group without variance weigh nothing.
    gains = rewards - rewards.mean(1, keepdim=True)
    kept = int((gains.abs().amax(1) > _SAME).sum())
    return -(shares * gains).sum() / max(1, kept)


def divergence(logprobs: Tensor, reference: Tensor, written: Tensor) -> Tensor:
    """Return the mean k3 over the written tokens, of log-probabilities of any one shape."""
    gap = (reference - logprobs).clamp_max(_LARGEST_GAP)
    return ((gap.exp() - 1 - gap) * written).sum() / written.sum().clamp_min(1)


def _without_noise(advantages: Tensor) -> Tensor:
    """Return advantages with groups at zero that differ from it by rounding alone."""
    return torch.where(advantages.abs().amax(1, keepdim=True) > _SAME, advantages, 0.0)


if __name__ == "__main__":
    given = torch.tensor([[1.0, 0.0, 2.0], [1.0, 1.0, 1.0]])
    print(leave_one_out(given), self_critical(given, given[:, 0]))
