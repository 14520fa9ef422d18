"""Build a decoder with fresh weights, the same for the same seed on every machine.

The gpt2 family begins as GPT-2 does (Radford et al. 2019): normal with deviation 0.02, projections
back into the residual stream divided by sqrt(2 L). The others begin with deviation 1/sqrt(fan_in)
and projections back at zero, so that every block starts as the identity (Zhang et al. 2019, arXiv
1901.09321). Their embedding begins with a deviation of 0.2, so that the first updates of the blocks
do not drown what token it was; on the toy world this learns faster than 0.02. With tied embeddings
the token just read would then get a large logit, and the model begin by repeating itself; the gain
of the last norm begins so low that this logit is C times 0.02, and 5 at most.

    python -m hanlin.models.build
"""

from __future__ import annotations

import math

import torch
from torch import nn

from hanlin.config import ModelConfig
from hanlin.models.block import RMSNorm
from hanlin.models.decoder import Decoder

__all__ = ["build_model", "initialise"]

_STD = 0.02
_LOUD_STD = 0.2
_SELF_LOGIT = 5.0


def build_model(config: ModelConfig, *, seed: int) -> Decoder:
    """Return a decoder in fp32 on the CPU with weights drawn from `seed`.

    Raises:
        ModelError: if `config` is not resolved or describes a model that no layout can hold.
    """
    with torch.device("meta"):  # no memory, and no draw from torch's global generator
        model = Decoder(config)
    model.to_empty(device="cpu")
    initialise(model, torch.Generator().manual_seed(seed))
    return model


@torch.no_grad()
def initialise(model: Decoder, generator: torch.Generator) -> None:
    """Set every parameter of a model anew."""
    for name, module in model.named_modules():
        if isinstance(module, nn.LayerNorm | RMSNorm):
            module.weight.fill_(_final_gain(model.config) if name == "norm" else 1.0)
        elif isinstance(module, nn.Embedding):
            module.weight.normal_(0.0, _embedding_std(model.config), generator=generator)
        elif isinstance(module, nn.Linear):
            std = _deviation(name, module, model.config)
            module.weight.normal_(0.0, std, generator=generator) if std else module.weight.zero_()
        bias = getattr(module, "bias", None)
        if bias is not None:
            bias.zero_()


def _deviation(name: str, layer: nn.Linear, config: ModelConfig) -> float:
    if name == "unembedding":
        return _embedding_std(config)
    projects_back = name.endswith((".output", ".down"))
    if config.family == "gpt2":
        return _STD / math.sqrt(2 * config.num_layers) if projects_back else _STD
    if projects_back:
        shrink = math.sqrt(2 * config.num_layers * layer.in_features)
        return 0.0 if config.zero_init else 1.0 / shrink
    return 1.0 / math.sqrt(layer.in_features)


def _embedding_std(config: ModelConfig) -> float:
    return _STD if config.family == "gpt2" else _LOUD_STD


def _final_gain(config: ModelConfig) -> float:
    """Return the gain of the last norm, which keeps the first logits of a tied head small."""
    if config.family == "gpt2":
        return 1.0
    return min(_STD, _SELF_LOGIT / config.hidden_size) / _LOUD_STD


if __name__ == "__main__":
    tiny = build_model(ModelConfig(vocab_size=512, hidden_size=64, num_heads=2), seed=1)
    for parameter_name, parameter in tiny.named_parameters():
        print(f"{parameter_name:40} {tuple(parameter.shape)!s:14} std {parameter.std():.3f}")
