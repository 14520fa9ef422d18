"""Moves of a text's embeddings: how far they may go, and which way uphill is.

An example's embeddings are x (its n tokens x C values), its move is d, and the ball is relative:

    l2     |d|_2 <= e |x|_2            linf     max |d| <= e |x|_2 / sqrt(n C)

so that in either norm a move has at most the Euclidean length e |x|_2. Uphill on the loss, with
the gradient g, is g / |g|_2 in l2 (FGM; Miyato et al. 2017, arXiv:1605.07725) and sign(g) in linf
(FGSM; Goodfellow et al. 2015, arXiv:1412.6572); several such steps, each put back into the ball,
are PGD (Madry et al. 2018, arXiv:1706.06083).

    python -m hanlin.attacks.embedding

B batch, T time, C channels, S examples of a row.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hanlin.config import AttackNorm
from hanlin.errors import ModelError

__all__ = ["Ball", "embedding_of", "moved"]

_LEAST = 1e-12


@dataclass(frozen=True)
class Ball:
    """How far the embeddings of each example of a batch may move."""

    norm: AttackNorm
    members: Tensor
    """1 where a token may move and is of that example of its row, (B, T, S) fp32."""
    radius: Tensor
    """Of the ball in its norm, (B, S) fp32."""
    width: int
    """C."""

    @classmethod
    def around(cls, embedded: Tensor, groups: Tensor, norm: AttackNorm, epsilon: float) -> Ball:
        """Return the ball around embeddings (B, T, C).

        `groups` (B, T) says which example of its row a token is of, from 0; -1 may not move.
        """
        count = max(1, int(groups.max()) + 1)
        members = F.one_hot(groups + 1, count + 1)[..., 1:].float()  # (B, T, S)
        radius = epsilon * _lengths(embedded, members)
        if norm == "linf":
            sizes = members.sum(1).clamp_min(1) * embedded.shape[-1]
            radius = radius / sizes.sqrt()
        return cls(norm, members, radius, embedded.shape[-1])

    def project(self, move: Tensor) -> Tensor:
        """Return the nearest move (B, T, C) within the ball."""
        bound = self._spread(self.radius)  # (B, T)
        if self.norm == "linf":
            return move.clamp(-bound[..., None], bound[..., None])
        lengths = _lengths(move, self.members).clamp_min(_LEAST)
        return move * self._spread((self.radius / lengths).clamp_max(1))[..., None]

    def climb(self, move: Tensor, gradient: Tensor, share: float) -> Tensor:
        """Return a move that goes uphill from `move` by `share` of the radius, in the ball."""
        if self.norm == "linf":
            step = gradient.sign() * self._spread(self.radius)[..., None]
        else:
            lengths = _lengths(gradient, self.members).clamp_min(_LEAST)
            step = gradient * self._spread(self.radius / lengths)[..., None]
        return self.project(move + share * step)

    def edge(self, generator: torch.Generator) -> Tensor:
        """Return a random move on the edge of the ball: as far as an attack goes, but blind."""
        return self.climb(self.zero(), self._normal(generator), 1.0)

    def inside(self, generator: torch.Generator) -> Tensor:
        """Return a uniformly drawn move inside; in l2, about 0.58 of the way to the edge."""
        shape = (*self.members.shape[:2], self.width)
        drawn = torch.rand(shape, generator=generator, device=self.members.device) * 2 - 1
        bound = self.radius
        if self.norm == "l2":
            bound = bound / (self.members.sum(1).clamp_min(1) * self.width).sqrt()
        return self.project(drawn * self._spread(bound)[..., None])

    def zero(self) -> Tensor:
        """Return no move at all, (B, T, C)."""
        return self.members.new_zeros(*self.members.shape[:2], self.width)

    def _normal(self, generator: torch.Generator) -> Tensor:
        shape = (*self.members.shape[:2], self.width)
        return torch.randn(shape, generator=generator, device=self.members.device)

    def _spread(self, values: Tensor) -> Tensor:
        """Hand the values (B, S) of examples to their tokens, (B, T); 0 where none may move."""
        return torch.einsum("bts,bs->bt", self.members, values)


def embedding_of(model: nn.Module) -> nn.Embedding:
    """Return the embedding of a model's tokens.

    Raises:
        ModelError: it has none under the name `embedding`.
    """
    found = getattr(model, "embedding", None)
    if not isinstance(found, nn.Embedding):
        raise ModelError(
            f"{type(model).__name__} has no `embedding` whose outputs could be moved. Leave out "
            "the attack on embeddings, or attack the text."
        )
    return found


@contextlib.contextmanager
def moved(model: nn.Module, moves: Sequence[Tensor]) -> Iterator[None]:
    """Add moves (B, T, C) to what the embedding gives out inside, the first to its first call.

    Passes run as written, not compiled, as hooks ask.
    """
    left = iter(moves)
    handle = embedding_of(model).register_forward_hook(
        lambda module, inputs, out: out + next(left).to(out.dtype)
    )
    compiled: Any = model.__dict__.pop("hidden", None)  # what torch.compile has put over it
    try:
        yield
    finally:
        handle.remove()
        if compiled is not None:
            model.__dict__["hidden"] = compiled


def _lengths(values: Tensor, members: Tensor) -> Tensor:
    """Return the Euclidean length of each example's values (B, T, C): (B, S)."""
    squares = values.float().square().sum(-1)  # (B, T)
    return torch.einsum("bts,bt->bs", members, squares).sqrt()


if __name__ == "__main__":
    chance = torch.Generator().manual_seed(1)
    states = torch.randn(1, 6, 4, generator=chance)
    here = Ball.around(states, torch.tensor([[0, 0, 0, -1, 1, 1]]), "l2", 0.1)
    print(here.radius, _lengths(here.edge(chance), here.members))
