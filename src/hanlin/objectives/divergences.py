"""How far a student's distribution is from a teacher's, and the gradient of that by its logits.

With p the teacher's and s the student's probabilities, both at the temperature of the soft targets:

    forward          D = sum p log(p / s)                      s - p
    reverse          D = sum s log(s / p)                      s (log(s / p) - D)
    jensen-shannon   D = half of both about m = (p + s) / 2    s (g - sum s g), g = log(s / m) / 2

    python -m hanlin.objectives.divergences

N rows (tokens), V classes: the vocabulary, or what its tail is gathered into.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["divergence", "plain_divergence"]


def divergence(log_p: Tensor, log_s: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """Return D of each row (N,) and its gradient by the logits that s comes from (N, V)."""
    p, s = log_p.exp(), log_s.exp()
    if kind == "forward":
        return torch.linalg.vecdot(p, log_p - log_s), s - p
    if kind == "reverse":
        ratio = log_s - log_p
        found = torch.linalg.vecdot(s, ratio)
        return found, s * (ratio - found[:, None])
    log_m = torch.logaddexp(log_p, log_s) - math.log(2)
    pull = (log_s - log_m) / 2
    mean = torch.linalg.vecdot(s, pull)
    return torch.linalg.vecdot(p, log_p - log_m) / 2 + mean, s * (pull - mean[:, None])


def plain_divergence(log_p: Tensor, log_s: Tensor, kind: str) -> Tensor:
    """Return the same D (N,), to be differentiated by autograd: the reference."""
    if kind == "forward":
        return F.kl_div(log_s, log_p, reduction="none", log_target=True).sum(-1)
    if kind == "reverse":
        return F.kl_div(log_p, log_s, reduction="none", log_target=True).sum(-1)
    log_m = ((log_p.exp() + log_s.exp()) / 2).log()
    to_p = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    return (to_p + F.kl_div(log_m, log_s, reduction="none", log_target=True).sum(-1)) / 2


if __name__ == "__main__":
    generator = torch.Generator().manual_seed(0)
    taught, learnt = torch.randn(2, 3, 8, generator=generator).log_softmax(-1)
    for name in ("forward", "reverse", "jensen-shannon"):
        print(name, divergence(taught, learnt, name)[0].tolist())
