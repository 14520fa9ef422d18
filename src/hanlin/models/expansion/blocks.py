"""New blocks between the old ones, which alone learn (LLaMA-Pro; Wu et al. 2024, arXiv 2401.02415).

The L layers of the core are parted into P groups of L / P. Behind each group stands a copy of its
last layer whose two projections into the residual stream are zero, biases too: it adds nothing, so
the model's outputs are the core's to the last bit, until the copy has learnt something to say.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from hanlin.config import ExpandConfig, ModelConfig
from hanlin.errors import ModelError
from hanlin.models.block import Block
from hanlin.models.decoder import Decoder
from hanlin.models.expansion.base import frozen_copy

__all__ = ["NewBlocks"]


class NewBlocks:
    """`method = "blocks"`."""

    def check(self, shape: ModelConfig, config: ExpandConfig) -> None:
        """Refuse a number of layers that cannot be parted, and layers that must alternate."""
        if shape.num_layers % config.blocks:
            fitting = [n for n in range(1, shape.num_layers + 1) if shape.num_layers % n == 0]
            raise ModelError(
                f"The core's {shape.num_layers} layers cannot be parted into expand.blocks = "
                f"{config.blocks} equal groups. Take a number that divides them: {fitting}."
            )
        if shape.attention == "banded":
            raise ModelError(
                "The core's layers alternate between dense and banded attention, so that a block "
                "put between them would change what the others see. "
                "Take expand.method = 'lora', 'mlp' or 'layers'."
            )

    def insert(self, core: Decoder, config: ExpandConfig, generator: torch.Generator) -> Decoder:
        """Return the core with silent copies behind each group of layers."""
        del generator
        grown = frozen_copy(core)
        group = len(grown.blocks) // config.blocks
        blocks: list[nn.Module] = []
        for number, block in enumerate(grown.blocks, start=1):
            assert isinstance(block, Block)
            blocks.append(block)
            if number % group == 0:
                blocks.append(_silent_copy(block))
        for layer, block in enumerate(blocks):
            assert isinstance(block, Block)
            block.attention.layer = layer
        grown.blocks = nn.ModuleList(blocks)
        grown.config = core.config.model_copy(update={"num_layers": len(blocks)})
        return grown

    def merge(self, module: Decoder) -> Decoder:
        """Return the decoder itself, which has more layers and is otherwise like any other."""
        return module


@torch.no_grad()
def _silent_copy(block: Block) -> Block:
    twin = copy.deepcopy(block)
    for name, parameter in twin.named_parameters():
        if name.startswith(("attention.output.", "mlp.down.")):
            parameter.zero_()
    return twin.requires_grad_()
