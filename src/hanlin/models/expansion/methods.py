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
