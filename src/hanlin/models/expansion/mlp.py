"""Wider MLPs of which only the new units learn (Grow, don't overwrite; arXiv 2603.08647).

An MLP is a sum over its units: down[:, j] * unit_j(x). A new unit begins as the copy of an old one.
Either the two share what the old one gave out, each at half (Net2Net; Chen et al. 2016, arXiv
1511.05641), or the new one gives out nothing yet; the sum, and so the outputs, stay the core's.
The old units are frozen, and do not get in the way of the new: no symmetry has to be broken.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hanlin.config import ExpandConfig, ModelConfig
from hanlin.models.block import Block, GeluMLP, SwiGLUMLP
from hanlin.models.decoder import Decoder
from hanlin.models.expansion.base import frozen_copy

__all__ = ["WideMLP", "WiderMLPs"]


class WideMLP(nn.Module):
    """The old units and the new ones, side by side."""

    def __init__(self, old: nn.Module, new: nn.Module) -> None:
        """Put two MLPs of the same kind side by side."""
        super().__init__()
        self.old, self.new = old, new

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, C)."""
        return self.old(x) + self.new(x)  # type: ignore[no-any-return]


class WiderMLPs:
    """`method = "mlp"`."""

    def check(self, shape: ModelConfig, config: ExpandConfig) -> None:
        """Refuse nothing: every MLP can be made wider."""

    def insert(self, core: Decoder, config: ExpandConfig, generator: torch.Generator) -> Decoder:
        """Return the core with new units in every layer."""
        del generator
        twin = frozen_copy(core)
        inner = core.config.resolved_intermediate_size
        num_new = max(1, round(inner * (config.mlp_factor - 1)))
        for block in twin.blocks:
            assert isinstance(block, Block)
            new = _copy_units(block.mlp, core.config, num_new, silent=config.mlp_start == "zero")
            block.mlp = WideMLP(block.mlp, new)
        twin.config = core.config.model_copy(update={"intermediate_size": inner + num_new})
        return twin

    def merge(self, module: Decoder) -> Decoder:
        """Return the decoder with old and new units in one MLP."""
        for block in module.blocks:
            assert isinstance(block, Block) and isinstance(block.mlp, WideMLP)
            block.mlp = _join(block.mlp.old, block.mlp.new, module.config)
        return module


@torch.no_grad()
def _copy_units(old: nn.Module, shape: ModelConfig, num_new: int, *, silent: bool) -> nn.Module:
    """Return an MLP of copies of the first units; unless silent, these give half away."""
    new = _empty(old, shape.model_copy(update={"intermediate_size": num_new}))
    ours, theirs = dict(new.named_parameters()), dict(old.named_parameters())
    for name, tensor in theirs.items():
        if name == "down.bias":
            ours[name].zero_()
        elif name == "down.weight":
            tensor[:, :num_new] /= 1 if silent else 2
            ours[name].copy_(torch.zeros_like(ours[name]) if silent else tensor[:, :num_new])
        else:
            ours[name].copy_(torch.cat([part[:num_new] for part in _halves(name, tensor)]))
    return new


@torch.no_grad()
def _join(old: nn.Module, new: nn.Module, shape: ModelConfig) -> nn.Module:
    """Return one MLP with the units of both."""
    wide = _empty(old, shape)
    ours, theirs = dict(old.named_parameters()), dict(new.named_parameters())
    for name, target in wide.named_parameters():
        if name == "down.bias":
            target.copy_(ours[name] + theirs[name])
        elif name == "down.weight":
            target.copy_(torch.cat((ours[name], theirs[name]), dim=1))
        else:
            pairs = zip(_halves(name, ours[name]), _halves(name, theirs[name]), strict=True)
            target.copy_(torch.cat([part for pair in pairs for part in pair]))
    return wide


def _halves(name: str, tensor: Tensor) -> tuple[Tensor, ...]:
    """Return the rows of gate and up apart, or all rows of a matrix that is only one."""
    return tensor.chunk(2) if name.startswith("gate_up.") else (tensor,)


def _empty(like: nn.Module, shape: ModelConfig) -> nn.Module:
    weight = next(like.parameters())
    with torch.device("meta"):
        mlp = GeluMLP(shape) if isinstance(like, GeluMLP) else SwiGLUMLP(shape)
    return mlp.to_empty(device=weight.device).to(weight.dtype)
