"""What keeps a model from saying everything in one way: heads that differ, and less confidence.

Head disagreement (Li et al. 2018, arXiv:1810.10183) adds the mean cosine between the outputs of a
layer's heads at the same token. Over unit vectors u_1 ... u_H the sum of all cosines is
|u_1 + ... + u_H|^2 - H, so that no pair is ever formed.

The confidence penalty (Pereyra et al. 2017, arXiv:1701.06548) takes off a part of the entropy of
what is predicted; it lives inside the loss over logits, `hanlin.objectives.soft_targets`.

    python -m hanlin.objectives.diversity

B batch, T time, H heads, D head dim.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["head_cosines", "head_cosines_reference"]


def head_cosines(outputs: Iterable[Tensor], num_heads: int) -> Tensor:
    """Return each token's mean cosine between two heads of a layer, over all layers: (B, T) fp32.

    `outputs` holds each layer's (B, T, H D). One head has none to differ from: zero.

    >>> heads = torch.tensor([[[1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 1.0]]])
    >>> head_cosines([heads], 2)
    tensor([[1., 0.]])
    """
    means = []
    for output in outputs:
        units = F.normalize(_apart(output, num_heads), dim=-1)  # (B, T, H, D)
        total = units.sum(-2).square().sum(-1) - units.square().sum((-2, -1))  # (B, T)
        means.append(total / max(1, num_heads * (num_heads - 1)))
    return torch.stack(means).mean(0)


def head_cosines_reference(outputs: Iterable[Tensor], num_heads: int) -> Tensor:
    """Return the same, pair by pair."""
    means = []
    for output in outputs:
        heads = _apart(output, num_heads).unbind(-2)
        pairs = [
            F.cosine_similarity(first, second, dim=-1)
            for place, first in enumerate(heads)
            for second in heads[place + 1 :]
        ]
        means.append(torch.stack(pairs).mean(0) if pairs else torch.zeros(output.shape[:2]))
    return torch.stack(means).mean(0)


def _apart(output: Tensor, num_heads: int) -> Tensor:
    return output.float().reshape(*output.shape[:-1], num_heads, -1)


if __name__ == "__main__":
    drawn = [torch.randn(2, 5, 4 * 8, generator=torch.Generator().manual_seed(0))]
    print(head_cosines(drawn, 4)[0])
    print(head_cosines_reference(drawn, 4)[0])
