"""Which tokens a model writes more often than people do (Li et al. 2020, arXiv 1911.03860).

    beta(c) = max(0, log p_model(c) / p_human(c))

p_human is the frequency in the training text. p_model is that in what the model wrote of late: its
counts fade by a factor a batch, and begin as `_PRIOR` tokens of human frequency, so that a token
seldom written is not accused on little evidence.

    python -m hanlin.objectives.overuse

V vocabulary.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Overuse"]

_FADING = 0.99
_PRIOR = 1000.0


class Overuse:
    """The running frequencies of what the model writes."""

    def __init__(self, human: NDArray[np.int64], rows: int) -> None:
        """Take the counts of the training text (V,), for a model of `rows` tokens."""
        counts = torch.ones(rows, dtype=torch.float64)
        counts[: len(human)] += torch.from_numpy(human)
        self.human = counts / counts.sum()
        self.written = torch.zeros(rows, dtype=torch.float64)
        """Faded counts of what the model wrote, (V,)."""

    def count(self, ids: Tensor) -> Tensor:
        """Return how often each token stands among `ids`, (V,)."""
        return torch.bincount(ids.flatten().cpu(), minlength=len(self.written)).double()

    def add(self, counts: Tensor) -> None:
        """Add the counts of one batch that sampled."""
        self.written.mul_(_FADING).add_(counts)

    def weights(self) -> Tensor:
        """Return beta of each token, (V,) fp32."""
        model = (self.written + _PRIOR * self.human) / (self.written.sum() + _PRIOR)
        return (model / self.human).log().clamp_min(0).float()


if __name__ == "__main__":
    overuse = Overuse(np.array([500, 400, 100]), rows=3)
    overuse.add(overuse.count(torch.tensor([2] * 300 + [0] * 100)))
    print(overuse.weights())
