"""Begin a smaller student with every k-th block of a larger model of the same width.

DistilBERT (Sanh et al. 2019, arXiv 1910.01108) begins so, and its students learn more from the same
steps than fresh ones do.
"""

from __future__ import annotations

import torch

from hanlin.config import ModelConfig
from hanlin.models.decoder import Decoder
from hanlin.models.growth.depth import thin_blocks
from hanlin.models.growth.growing import decoder_of
from hanlin.models.growth.shape import block_step, check_shrinkage

__all__ = ["shrink"]


@torch.no_grad()
def shrink(model: Decoder, target: ModelConfig) -> Decoder:
    """Return a decoder of the resolved shape `target` with evenly spaced blocks of `model`.

    Raises:
        ModelError: more than the number of layers would change.
    """
    check_shrinkage(model.config, target)
    old = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
    state = {name: tensor for name, tensor in old.items() if not name.startswith("blocks.")}
    sources = thin_blocks(model.config.num_layers, target.num_layers, step=block_step(target))
    for layer, source in enumerate(sources):
        root = f"blocks.{source.layer}."
        state |= {
            f"blocks.{layer}.{name.removeprefix(root)}": tensor
            for name, tensor in old.items()
            if name.startswith(root)
        }
    return decoder_of(target, state)
