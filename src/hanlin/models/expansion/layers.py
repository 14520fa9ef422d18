"""Some layers of the core trained as copies, which stand in for them where the expansion is on.

The copies are whole layers, and begin as the core's own: nothing is added to a pass through the
model, and what is stored is as large as the layers are.
"""

from __future__ import annotations

import torch

from hanlin.config import ExpandConfig, ModelConfig
from hanlin.models.decoder import Decoder
from hanlin.models.expansion.base import check_layers, frozen_copy

__all__ = ["ReplacedLayers"]


class ReplacedLayers:
    """`method = "layers"`."""

    def check(self, shape: ModelConfig, config: ExpandConfig) -> None:
        """Refuse layers that the core has not."""
        check_layers(shape, config)

    def insert(self, core: Decoder, config: ExpandConfig, generator: torch.Generator) -> Decoder:
        """Return the core with some layers that learn."""
        del generator
        twin = frozen_copy(core)
        for layer in config.layers:
            twin.blocks[layer].requires_grad_()
        return twin

    def merge(self, module: Decoder) -> Decoder:
        """Return the decoder itself, whose shape is the core's."""
        return module
