"""Wider layers that compute the same: units are copied, and what leaves the copies is divided.

A layer's unit j gets c_j copies with the same incoming weights, hence the same value, and each of
its outgoing weights is divided into c_j shares that add up to it (Net2Net; Chen et al. 2016, arXiv
1511.05641). So every later sum is what it was. Units here are the dimensions of the residual
stream, heads, and the units of an MLP. All dimensions of the stream get the same number of copies,
because the norms' means over them must stay; heads keep their width, so that scores and QK-norm do.

The shares are (1 + e) / c with an e of its own for every single weight, not one for each copy: two
copies whose gradients differ by a factor alone move alike under Adam, which divides the factor out,
and they would stay twins for ever.

    python -m hanlin.models.growth.width

C channels, H heads, K key and value heads, D head dim, F width of the MLP.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hanlin.config import ModelConfig

__all__ = ["WidthMap", "count_query_slots", "shares", "split"]

_SPREAD = 0.5
"""The largest e: of two copies, one gets 0.25 to 0.75 of a weight and the other the rest."""


@dataclass(frozen=True, slots=True)
class WidthMap:
    """For each new unit, the number of the old one that it copies."""

    dims: Tensor
    """Dimensions of the residual stream, (C',)."""
    queries: Tensor
    """Rows of the query heads, (H' D,)."""
    pairs: Tensor
    """Rows of the key heads, and of the value heads, (K' D,)."""
    units: Tensor
    """Units of the MLP, (F',)."""

    @classmethod
    def between(cls, start: ModelConfig, target: ModelConfig) -> WidthMap:
        """Return the map from a shape to one that has passed `check_growth`."""
        heads, pairs = _map_heads(start, target)
        dim = start.resolved_head_dim
        return cls(
            dims=torch.arange(target.hidden_size) % start.hidden_size,
            queries=_rows_of(heads, dim),
            pairs=_rows_of(pairs, dim),
            units=torch.arange(target.resolved_intermediate_size)
            % start.resolved_intermediate_size,
        )

    def qkv_rows(self, start: ModelConfig) -> Tensor:
        """Return the map of the rows of `qkv`: query heads, key heads, value heads."""
        dim = start.resolved_head_dim
        keys = start.num_heads * dim
        values = keys + start.resolved_kv_heads * dim
        return torch.cat((self.queries, keys + self.pairs, values + self.pairs))

    def gate_up_rows(self, start: ModelConfig) -> Tensor:
        """Return the map of the rows of `gate_up`: gates, then ups."""
        return torch.cat((self.units, start.resolved_intermediate_size + self.units))


def shares(num_rows: int, index: Tensor, generator: torch.Generator) -> Tensor:
    """Return the share of each outgoing weight (rows, new units); a unit's copies add to 1.

    >>> index = torch.tensor([0, 1, 0])
    >>> found = shares(4, index, torch.Generator().manual_seed(0))
    >>> (found[:, 0] + found[:, 2]).tolist(), found[:, 1].tolist()
    ([1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0])
    """
    count = torch.bincount(index).float()  # copies of each old unit
    noise = torch.empty(num_rows, len(index)).uniform_(-_SPREAD, _SPREAD, generator=generator)
    mean = torch.zeros(num_rows, len(count)).index_add_(1, index, noise) / count
    return (1 + (noise - mean[:, index])) / count[index]


def split(weight: Tensor, index: Tensor, generator: torch.Generator) -> Tensor:
    """Return a matrix (rows, units) over new units, each old column divided among its copies."""
    return weight[:, index] * shares(weight.shape[0], index, generator)


def count_query_slots(start: ModelConfig, target: ModelConfig) -> int:
    """Return how many query heads of `target` serve the copies of one key head, at least."""
    group = target.num_heads // target.resolved_kv_heads
    return target.resolved_kv_heads // start.resolved_kv_heads * group


def _map_heads(start: ModelConfig, target: ModelConfig) -> tuple[Tensor, Tensor]:
    """Return the old query head of each new one, and the old key head of each new one.

    A new query head reads the key head of its new group, so that it must copy one of the query
    heads that read that key head before. Each key head's new queries go through its old ones in
    turn, over all of its copies.
    """
    old_group = start.num_heads // start.resolved_kv_heads
    new_group = target.num_heads // target.resolved_kv_heads
    pairs = torch.arange(target.resolved_kv_heads) % start.resolved_kv_heads
    copy = torch.arange(target.resolved_kv_heads) // start.resolved_kv_heads
    slots = copy[:, None] * new_group + torch.arange(new_group)  # (K', H' / K')
    return (pairs[:, None] * old_group + slots % old_group).flatten(), pairs


def _rows_of(heads: Tensor, dim: int) -> Tensor:
    return (heads[:, None] * dim + torch.arange(dim)).flatten()


if __name__ == "__main__":
    old = ModelConfig(hidden_size=32, num_heads=4, num_kv_heads=2)
    new = ModelConfig(hidden_size=64, num_heads=8, num_kv_heads=4)
    for name, heads in zip(("query heads", "key heads"), _map_heads(old, new), strict=True):
        print(f"{name:12} {heads.tolist()}")
