"""What an expansion is, and what each way of making one has to offer.

A method lays new tensors into a copy of the core, of which nothing else learns, and turns the
result back into an ordinary decoder:

    insert    core -> decoder whose new parameters alone learn; its outputs are the core's
    merge     that decoder, after training -> a decoder that no one can tell from any other
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from hanlin.config import ExpandConfig, ModelConfig
from hanlin.errors import ModelError
from hanlin.models.decoder import Decoder

__all__ = ["Expansion", "Method", "check_layers", "frozen_copy"]


@dataclass(frozen=True)
class Expansion:
    """What stands beside a core: the new tensors, and how they belong to it."""

    config: ExpandConfig
    tensors: Mapping[str, Tensor] = field(repr=False)
    """The parameters that learnt, by the name that they have in the decoder that was trained."""

    @property
    def num_parameters(self) -> int:
        """How many numbers learnt."""
        return sum(tensor.numel() for tensor in self.tensors.values())


class Method(Protocol):
    """One way to expand a core."""

    def check(self, shape: ModelConfig, config: ExpandConfig) -> None:
        """Raise ModelError if a core of this shape cannot be expanded so."""

    def insert(self, core: Decoder, config: ExpandConfig, generator: torch.Generator) -> Decoder:
        """Return a copy of the core with new parameters, which alone require gradients."""

    def merge(self, module: Decoder) -> Decoder:
        """Return the ordinary decoder that a decoder of `insert` has become; that one is spent."""


def frozen_copy(core: Decoder) -> Decoder:
    """Return a copy of a decoder of which nothing learns."""
    return copy.deepcopy(core).requires_grad_(False)


def check_layers(shape: ModelConfig, config: ExpandConfig) -> None:
    """Raise ModelError if a chosen layer is not there."""
    for layer in config.layers:
        if layer >= shape.num_layers:
            raise ModelError(
                f"expand.layers names layer {layer}, but the core has {shape.num_layers} layers, "
                f"0 to {shape.num_layers - 1}."
            )
