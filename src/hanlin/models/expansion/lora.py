"""Low-rank corrections of chosen matrices (LoRA; Hu et al. 2021, arXiv 2106.09685).

    y = W x + (alpha / r) B A x        A (r, in) random, B (out, r) zero, W frozen

B begins at zero, so that the outputs are the core's. Merging adds (alpha / r) B A to W.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hanlin.config import ExpandConfig, ModelConfig
from hanlin.errors import ModelError
from hanlin.models.block import Block
from hanlin.models.decoder import Decoder
from hanlin.models.expansion.base import check_layers, frozen_copy

__all__ = ["LoraLinear", "LowRank"]


class LoraLinear(nn.Linear):
    """A frozen linear layer and its correction, under the same names as the layer alone."""

    def __init__(
        self, core: nn.Linear, rank: int, scale: float, generator: torch.Generator
    ) -> None:
        """Take over a layer's weights and add a correction that adds nothing yet."""
        size = (core.in_features, core.out_features)
        super().__init__(*size, bias=core.bias is not None, device="meta")
        self.weight, self.bias = core.weight, core.bias
        self.scale = scale
        narrow = torch.randn(rank, self.in_features, generator=generator) / self.in_features**0.5
        self.lora_down = _linear(narrow.to(self.weight))
        self.lora_up = _linear(self.weight.new_zeros(self.out_features, rank))

    def forward(self, input: Tensor) -> Tensor:
        """Return W x + b and the correction."""
        correction: Tensor = self.lora_up(self.lora_down(input))
        return F.linear(input, self.weight, self.bias) + self.scale * correction

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """Return the ordinary layer that computes the same."""
        plain = nn.Linear(
            self.in_features, self.out_features, bias=self.bias is not None, device="meta"
        )
        correction = self.lora_up.weight @ self.lora_down.weight
        plain.weight = nn.Parameter(self.weight + self.scale * correction)
        plain.bias = self.bias
        return plain


class LowRank:
    """`method = "lora"`."""

    def check(self, shape: ModelConfig, config: ExpandConfig) -> None:
        """Refuse layers that the core has not, and ranks that correct nothing at less cost."""
        check_layers(shape, config)
        width = min(shape.hidden_size, shape.num_heads * shape.resolved_head_dim)
        if config.rank >= width:
            raise ModelError(
                f"expand.rank {config.rank} is not below the core's width {width}, so that a "
                "correction would be as large as what it corrects. Lower the rank, or take "
                "expand.method = 'layers'."
            )

    def insert(self, core: Decoder, config: ExpandConfig, generator: torch.Generator) -> Decoder:
        """Return the core with corrections beside the chosen matrices."""
        twin = frozen_copy(core)
        for layer in config.layers or range(len(twin.blocks)):
            block = twin.blocks[layer]
            assert isinstance(block, Block)
            for owner, name in _places(block, config.matrices):
                plain = getattr(owner, name)
                scale = config.alpha / config.rank
                setattr(owner, name, LoraLinear(plain, config.rank, scale, generator))
        return twin

    def merge(self, module: Decoder) -> Decoder:
        """Return the decoder with each correction added to its matrix."""
        for owner in list(module.modules()):
            for name, child in list(owner.named_children()):
                if isinstance(child, LoraLinear):
                    setattr(owner, name, child.merged())
        return module


def _places(block: Block, matrices: tuple[str, ...]) -> list[tuple[nn.Module, str]]:
    up = "up" if hasattr(block.mlp, "up") else "gate_up"
    places: dict[str, tuple[nn.Module, str]] = {
        "qkv": (block.attention, "qkv"),
        "output": (block.attention, "output"),
        "up": (block.mlp, up),
        "down": (block.mlp, "down"),
    }
    return [place for matrix, place in places.items() if matrix in matrices]


def _linear(weight: Tensor) -> nn.Linear:
    rows, columns = weight.shape
    layer = nn.Linear(columns, rows, bias=False, device="meta")
    layer.weight = nn.Parameter(weight)
    return layer
