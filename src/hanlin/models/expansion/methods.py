"""Begin an expansion, take out what it has learnt, and lay that over the core again.

module = begin_expansion(core, config, generator)      # train it: only the new tensors learn
expansion = extract_expansion(module, config)          # the new tensors alone
model = apply_expansion(core, expansion)               # an ordinary decoder

python -m hanlin.models.expansion.methods
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hanlin.config import ExpandConfig, ExpandMethod, ModelConfig
from hanlin.errors import ModelError
from hanlin.models.counting import count_parameters, flops_per_token
from hanlin.models.decoder import Decoder
from hanlin.models.expansion.base import Expansion, Method
from hanlin.models.expansion.blocks import NewBlocks
from hanlin.models.expansion.layers import ReplacedLayers
from hanlin.models.expansion.lora import LowRank
from hanlin.models.expansion.mlp import WiderMLPs

__all__ = [
    "apply_expansion",
    "begin_expansion",
    "check_expansion",
    "extract_expansion",
    "frozen_flops_per_token",
]

_METHODS: Mapping[ExpandMethod, Method] = {
    "blocks": NewBlocks(),
    "lora": LowRank(),
    "mlp": WiderMLPs(),
    "layers": ReplacedLayers(),
}


def check_expansion(shape: ModelConfig, config: ExpandConfig) -> None:
    """Check that a core of this shape can be expanded so.

    Raises:
        ModelError: naming the setting and what of the core it does not fit.
    """
    _METHODS[config.method].check(shape, config)


def begin_expansion(core: Decoder, config: ExpandConfig, generator: torch.Generator) -> Decoder:
    """Return a decoder that gives out what the core does, and of which only the new learns.

    The core itself is left as it is. `generator` is where the values of `lora` begin.

    Raises:
        ModelError: the core cannot be expanded so.
    """
    check_expansion(core.config, config)
    return _METHODS[config.method].insert(core, config, generator).eval()


def extract_expansion(module: Decoder, config: ExpandConfig) -> Expansion:
    """Return what a decoder of `begin_expansion` has learnt, on the CPU."""
    tensors = {name: p.detach().to("cpu", copy=True).contiguous() for name, p in _learning(module)}
    return Expansion(config, tensors)


@torch.no_grad()
def apply_expansion(core: Decoder, expansion: Expansion) -> Decoder:
    """Return the ordinary decoder that core and expansion are together, in `eval` mode.

    Raises:
        ModelError: the tensors are not those of such an expansion of this core.
    """
    module = begin_expansion(core, expansion.config, torch.Generator().manual_seed(0))
    targets = dict(_learning(module))
    _check_tensors(targets, expansion.tensors)
    for name, target in targets.items():
        target.copy_(expansion.tensors[name])
    return _METHODS[expansion.config.method].merge(module).requires_grad_().eval()


def frozen_flops_per_token(module: Decoder, context: int) -> int:
    """Return the operations of one training step for one token, where most weights are frozen.

    A weight costs 2 forward, 2 for its input's gradient if anything before it learns, and 2 for its
    own if it learns. The products of attention are counted in full.
    """
    shape = module.config
    whole = flops_per_token(shape, context)
    attention = whole - 6 * (
        count_parameters(shape).non_embedding + shape.vocab_size * shape.hidden_size
    )
    reached, total = False, 0
    for block in (*module.blocks, module.norm):
        learns = any(parameter.requires_grad for parameter in block.parameters())
        reached = reached or learns
        for parameter in block.parameters():
            total += parameter.numel() * (2 + 2 * reached + 2 * parameter.requires_grad)
    return attention + total + 4 * shape.vocab_size * shape.hidden_size


def _learning(module: Decoder) -> list[tuple[str, torch.nn.Parameter]]:
    return [(name, p) for name, p in module.named_parameters() if p.requires_grad]


def _check_tensors(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    for name in sorted(expected.keys() ^ given.keys()):
        fault = "lacks" if name in expected else "holds, against its settings,"
        raise ModelError(f"The expansion {fault} the tensor {name}. Copy its folder anew.")
    for name, tensor in expected.items():
        if tensor.shape != given[name].shape:
            raise ModelError(
                f"The expansion's {name} has the shape {tuple(given[name].shape)} where core and "
                f"settings ask for {tuple(tensor.shape)}. Copy its folder anew."
            )


if __name__ == "__main__":
    from hanlin.models.build import build_model

    tiny = build_model(ModelConfig(vocab_size=512, hidden_size=64, num_heads=2), seed=1)
    for method in _METHODS:
        settings = ExpandConfig(method=method, layers=(3,) if method == "layers" else ())
        grown = begin_expansion(tiny, settings, torch.Generator().manual_seed(1))
        print(f"{method:8} {extract_expansion(grown, settings).num_parameters:8,} learn")
