"""What the training loop asks of an objective, and what an objective asks of a model.

An objective returns a *sum* over what it counted (tokens, as a rule) and the *weight* of that sum;
it never takes a mean. The loop adds sums and weights over microbatches and processes and divides
once, by the global weight. So packing, accumulation and the number of processes never change the
mathematics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from hanlin.errors import ModelError

__all__ = [
    "Attackable",
    "LanguageModel",
    "Loss",
    "Movable",
    "Objective",
    "Scores",
    "StateDict",
    "head_weight",
]

StateDict = dict[str, Any]
Prepared = TypeVar("Prepared")


class Loss(NamedTuple):
    """What one microbatch contributes."""

    sum: Tensor
    """Scalar, summed over what was counted, in nats; its gradient is what is learnt from."""
    weight: Tensor | float
    """How much was counted: the number of tokens, as a rule."""
    parts: Mapping[str, Tensor]
    """Named sums that are logged after division by the same weight; they carry no gradient."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What a model says at N places where a target stands, out of V things that it could say."""

    log_probs: Tensor
    """(N, V) fp32."""
    targets: Tensor
    """(N,) int64."""
    weights: Tensor
    """How much each counts, (N,)."""
    rows: Tensor
    """The row of the batch that each is of, (N,)."""

    @property
    def losses(self) -> Tensor:
        """The cross-entropy of each target, (N,)."""
        return -self.log_probs.gather(1, self.targets[:, None])[:, 0]


@runtime_checkable
class LanguageModel(Protocol):
    """What a fused loss needs of a decoder: its hidden states, and the head as one matrix."""

    embedding: nn.Embedding
    """The embedding, (V, C)."""
    unembedding: nn.Linear | None
    """The head's own matrix (V, C); None where the head shares the embedding's."""

    def hidden(self, ids: Tensor) -> Tensor:
        """Map token ids (B, T) to hidden states (B, T, C) that are ready for the head."""


class Objective(Protocol[Prepared]):
    """What a step minimises; it may hold state of its own, such as a critic."""

    def prepare(
        self, batch: Tensor, model: nn.Module, generator: torch.Generator, progress: float
    ) -> Prepared:
        """Turn rows of token ids (B, T + 1) into what `loss` needs; all chance is drawn here.

        `progress` is the share of the stage's steps that are done, from 0 up to 1.
        """

    def loss(self, model: nn.Module, prepared: Prepared) -> Loss:
        """Return the sum, its weight and its parts for one microbatch."""

    def state_dict(self) -> StateDict:
        """Return all state as tensors and plain JSON values, by name."""

    def load_state_dict(self, state: StateDict) -> None:
        """Take back what `state_dict` gave."""


@dataclass(frozen=True, slots=True)
class Movable:
    """What one pass through the embedding reads, and what of it an attack may change."""

    ids: Tensor
    """(B, T), int64."""
    groups: Tensor
    """Which example of its row each may move with, (B, T) from 0; -1 where nothing may change."""
    rows: Tensor
    """The row of the batch that each row here is of, (B,)."""


class Attackable(Objective[Prepared], Protocol[Prepared]):
    """An objective whose inputs can be attacked."""

    def movable(self, prepared: Prepared) -> list[Movable]:
        """Return what can be attacked, by passes in the order in which `loss` makes them."""

    def scores(self, model: nn.Module, prepared: Prepared) -> list[Scores]:
        """Return what the model says at the targets, by passes in the same order."""


def head_weight(model: nn.Module) -> Tensor:
    """Return the head's matrix (V, C), which may be the embedding's.

    Raises:
        ModelError: the model has no such matrix, so that a fused loss cannot work on it.
    """
    if not isinstance(model, LanguageModel):
        raise ModelError(
            f"{type(model).__name__} has no `hidden`, `embedding` and `unembedding`, which the "
            "fused cross-entropy needs. Give it those, or train it with an objective of its own."
        )
    return (model.embedding if model.unembedding is None else model.unembedding).weight
