"""What the model wrote in the midst of training, and what that cost.

`hanlin.objectives.writer` writes it.

S prefixes, D continuations of each that are learnt from, the first G of them for the policy
gradient, P tokens of a prefix, N new tokens, R = S x D.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["OwnText", "Tally"]


@dataclass(frozen=True, slots=True)
class OwnText:
    """What a batch wrote."""

    prefixes: Tensor
    """(S, P)."""
    ids: Tensor
    """(S, D, N)."""
    written: Tensor
    """(S, D, N) bool."""
    credit: Tensor | None
    """What each token of the first G continuations is worth, (S, G, N)."""
    rewards: Tensor | None
    """What each of them is worth, (S, G)."""
    reference: Tensor | None
    """The reference's log p of their tokens, (S, G, N)."""
    repeated: Tensor
    """1 for tokens in a repeated n-gram that may be penalised, (S, D, N)."""
    overused: Tensor
    """How much each token is overused, (S, D, N)."""
    judged: int
    """Tokens that these two looked at."""

    @property
    def rows(self) -> Tensor:
        """All prefixes with their continuations, (R, P + N)."""
        before = self.prefixes[:, None].expand(-1, self.ids.shape[1], -1)
        return torch.cat((before, self.ids), 2).flatten(0, 1)


class Tally:
    """What writing cost: tokens, the same for a resumed run, and seconds, which are not."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.tokens = torch.zeros(3, dtype=torch.float64)
        """Tokens read forward, learnt from, and read by the reference."""
        self.writing = self.scoring = 0.0
