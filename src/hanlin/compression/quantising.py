"""Quantise a decoder: every matrix of it, tables included, by the method that the settings name.

    packed = quantise(model, QuantisationConfig(bits=4, method="gptq"), rows)

With GPTQ the blocks are treated in order, and each sees the calibration rows as the quantised
blocks before it pass them on (Frantar et al. 2022). Tables are always rounded to nearest: GPTQ has
no input for an embedding, and at their usual 8 bits there is little to gain.

    python -m hanlin.compression.quantising
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hanlin.compression.gptq import Hessian, gptq
from hanlin.compression.hqq import half_quadratic
from hanlin.compression.rounding import round_to_nearest
from hanlin.compression.walking import Stop, walk
from hanlin.config import QuantisationConfig
from hanlin.errors import UserError
from hanlin.models import Decoder, QuantisedDecoder
from hanlin.models.packing import Packed
from hanlin.models.quantised import QuantisedLinear, QuantisedTable, is_table

__all__ = ["quantise"]


@torch.no_grad()
def quantise(
    model: Decoder, config: QuantisationConfig, rows: Tensor | None = None
) -> QuantisedDecoder:
    """Return a packed copy of a decoder; `rows` (R, T) of calibration tokens are for GPTQ.

    Raises:
        UserError: the method needs calibration rows and there are none, or the model is packed.
    """
    if isinstance(model, QuantisedDecoder):
        raise UserError("The model is quantised already. Quantise the original that it came from.")
    if config.method == "gptq" and rows is None:
        raise UserError(
            "The method gptq needs calibration text. Give --calibration FILES, or a run, whose "
            "training text is taken; or choose --method hqq, which needs none."
        )
    weights = {
        name: module.weight.detach().to("cpu", torch.float32, copy=True)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | nn.Embedding)
    }
    if config.method == "gptq":
        assert rows is not None
        matrices = _by_gptq(model, weights, config, rows)
    else:
        matrices = {name: _pack(weights[name], config) for name in weights if not is_table(name)}
    tables = {
        name: round_to_nearest(weight, bits=config.table_bits, group=config.group)
        for name, weight in weights.items()
        if is_table(name)
    }
    return _assemble(model, config, matrices | tables)


def _pack(weight: Tensor, config: QuantisationConfig) -> Packed:
    if config.method == "hqq":
        return half_quadratic(weight, group=config.group)
    return round_to_nearest(weight, bits=config.bits, group=config.group)


def _by_gptq(
    model: Decoder, weights: Mapping[str, Tensor], config: QuantisationConfig, rows: Tensor
) -> dict[str, Packed]:
    """Return the blocks' matrices; the model's own are changed on the way and put back."""
    packed: dict[str, Packed] = {}
    try:
        for stop in walk(model, rows):
            for name, hessian in _hessians(stop).items():
                full = f"blocks.{stop.layer}.{name}"
                packed[full] = gptq(
                    weights[full], hessian.matrix, bits=config.bits, group=config.group
                )
                _set_weight(stop.block.get_submodule(name), packed[full].dequantise())
    finally:
        for name in packed:
            _set_weight(model.get_submodule(name), weights[name])
    return packed


def _hessians(stop: Stop) -> dict[str, Hessian]:
    """Return the Hessian of each matrix of a block, from one pass of all rows through it."""
    found: dict[str, Hessian] = {}
    hooks = []
    for name, module in stop.block.named_modules():
        if isinstance(module, nn.Linear):
            found[name] = Hessian(module.in_features)
            add = found[name].add
            hooks.append(
                module.register_forward_pre_hook(lambda _, inputs, add=add: add(inputs[0]))
            )
    try:
        stop.run()
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _set_weight(module: nn.Module, weight: Tensor) -> None:
    assert isinstance(module, nn.Linear)
    module.weight.copy_(weight)


def _assemble(
    model: Decoder, config: QuantisationConfig, matrices: Mapping[str, Packed]
) -> QuantisedDecoder:
    packed = QuantisedDecoder(model.config, config)
    plain = {name: tensor.detach().float().cpu() for name, tensor in model.state_dict().items()}
    for name, module in packed.named_modules():
        if isinstance(module, QuantisedLinear | QuantisedTable):
            module.fill(matrices[name])
    with torch.no_grad():
        for name, parameter in packed.named_parameters():  # norms and biases
            parameter.copy_(plain[name])
    return packed.float().eval().requires_grad_(False)


if __name__ == "__main__":
    from hanlin.config import ModelConfig
    from hanlin.models import build_model

    shape = ModelConfig(vocab_size=512, hidden_size=64, num_heads=2, num_layers=2, zero_init=False)
    tiny = build_model(shape, seed=1)
    ids = torch.arange(32)[None]
    for bits in (8, 4):
        small = quantise(tiny, QuantisationConfig(bits=bits))
        print(f"{bits} bits: largest difference of a logit {(small(ids) - tiny(ids)).abs().max()}")
