"""What a student takes from inside of a teacher: its states as hints, its relations, its input.

- Hints (FitNets; Romero et al. 2015, arXiv:1412.6550): 1 - cos(W h_T, h_S) between the residual
  streams after paired blocks. The cosine is half the squared distance of the unit vectors, and
  heeds no scale; W is the identity where the widths agree, and learnt where they do not.
- Relations (MiniLM v2; Wang et al. 2021, arXiv:2012.15828): how much each token is like each
  token before it, softmax(x x' / sqrt(d)), for queries, keys and values of the last block, cut into
  as many slices as both models allow. Widths need not agree.
- Input: W h_T, the teacher's last states, beside the student's embedding. It begins at zero.

The matrices W are `Bridges`: they learn with the student, and are no part of its release.

B batch, T time, C channels, R slices, d width of a slice.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hanlin.config import DistilConfig, ModelConfig
from hanlin.models import Decoder

__all__ = ["Bridges", "hint_distance", "pair_layers", "relation_divergence"]

_FAR = -1e9
"""A score that leaves no probability, and yet no infinity to subtract from another."""


class Bridges(nn.Module):
    """The learnt maps from a teacher's width to the student's; empty where none is needed."""

    def __init__(
        self,
        teacher: ModelConfig,
        student: ModelConfig,
        config: DistilConfig,
        generator: torch.Generator,
    ) -> None:
        """Lay out what `config` asks for; a hint's map begins as the copy that growth makes."""
        super().__init__()
        before, after = teacher.hidden_size, student.hidden_size
        self.hints = nn.ModuleDict()
        if config.hint and before != after:
            for layer in pair_layers(teacher, student):
                self.hints[str(layer)] = _linear(_beginning(before, after, generator))
        self.input = _linear(torch.zeros(after, before)) if config.input else None

    @contextlib.contextmanager
    def attached(self, student: Decoder) -> Iterator[None]:
        """Let the loop train and save the maps as parameters of the student, for as long as this.

        So they share its optimiser, its precision and its checkpoints, and resume as it does.
        """
        student.add_module("bridges", self)
        try:
            yield
        finally:
            del student.bridges


def pair_layers(teacher: ModelConfig, student: ModelConfig) -> dict[int, int]:
    """Return, for evenly spaced layers of the student, the teacher's at the same share of depth.

    >>> pair_layers(ModelConfig(num_layers=2), ModelConfig(num_layers=4))
    {1: 0, 3: 1}
    """
    count = min(teacher.num_layers, student.num_layers)
    return {
        place * student.num_layers // count - 1: place * teacher.num_layers // count - 1
        for place in range(1, count + 1)
    }


def hint_distance(
    taught: Mapping[int, Tensor], learnt: Mapping[int, Tensor], bridges: Bridges | None
) -> Tensor:
    """Return each token's mean 1 - cosine over the student's layers: (B, T) fp32.

    `taught` and `learnt` hold streams (B, T, C) by the student's layer.
    """
    distances = []
    for layer, stream in learnt.items():
        goal = taught[layer]
        if bridges is not None and str(layer) in bridges.hints:
            goal = bridges.hints[str(layer)](goal)
        distances.append(1 - F.cosine_similarity(goal.float(), stream.float(), dim=-1))
    return torch.stack(distances).mean(0)


def relation_divergence(
    taught: Tensor, learnt: Tensor, teacher: ModelConfig, student: ModelConfig
) -> Tensor:
    """Return each token's divergence of relations, a mean over q, k, v and slices: (B, T) fp32.

    `taught` and `learnt` hold both models' queries, keys and values (B, T, (H + 2 K) D).
    """
    slices = math.gcd(
        *(teacher.num_heads, teacher.resolved_kv_heads),
        *(student.num_heads, student.resolved_kv_heads),
    )
    found = []
    for theirs, ours in zip(_apart(taught, teacher), _apart(learnt, student), strict=True):
        goal, mine = _log_relations(theirs, slices), _log_relations(ours, slices)
        found.append((goal.exp() * (goal - mine)).sum(-1).mean(1))  # (B, T)
    return torch.stack(found).mean(0)


def _apart(values: Tensor, shape: ModelConfig) -> tuple[Tensor, ...]:
    dim, pairs = shape.resolved_head_dim, shape.resolved_kv_heads
    return torch.split(values, [shape.num_heads * dim, pairs * dim, pairs * dim], dim=-1)


def _log_relations(values: Tensor, slices: int) -> Tensor:
    """Return log softmax(x x' / sqrt(d)) over the tokens up to each: (B, R, T, T)."""
    x = values.float().reshape(*values.shape[:-1], slices, -1).transpose(1, 2)  # (B, R, T, d)
    scores = x @ x.transpose(-1, -2) / math.sqrt(x.shape[-1])
    past = torch.ones(scores.shape[-2:], dtype=torch.bool, device=x.device).tril()
    return scores.masked_fill(~past, _FAR).log_softmax(-1)


def _beginning(before: int, after: int, generator: torch.Generator) -> Tensor:
    if after % before == 0:
        return torch.eye(before).repeat(after // before, 1)
    return torch.randn(after, before, generator=generator) / math.sqrt(before)


def _linear(weight: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    layer.weight = nn.Parameter(weight)
    return layer
