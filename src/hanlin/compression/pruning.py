"""Structured pruning: whole layers, or whole units of the MLPs, are left out.

    layers   influence = 1 - mean cos(x_in, x_out) of the stream before and after a block; the
             blocks of least influence go (ShortGPT; Men et al. 2024, arXiv 2403.03853)
    units    size = mean |a_j| |w_j| of what unit j adds to the stream, with its activation a_j and
             its column w_j of the way back; the smallest go, equally many in each layer (Minitron;
             Muralidharan et al. 2024, arXiv 2407.14679)

Both are measured on calibration text, and give an ordinary smaller decoder, which computes less on
every machine. It predicts worse until a stage has taught it again: a `distil` stage that starts
from it, with the original as its teacher. In a banded model blocks go in pairs.

Shapes: R rows, T time, C channels, F units of an MLP.

    python -m hanlin.compression.pruning
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hanlin.compression.walking import walk
from hanlin.config import ModelConfig
from hanlin.errors import UserError
from hanlin.models import Decoder, QuantisedDecoder

__all__ = ["block_influence", "drop_layers", "drop_units", "unit_sizes"]

_MULTIPLE = 8
"""Kept units are a multiple of this, as fast kernels like it."""


@torch.no_grad()
def block_influence(model: Decoder, rows: Tensor) -> list[float]:
    """Return the influence of each block, or of each pair in a banded model, on rows (R, T)."""
    step = _step(model.config)
    entering: list[list[Tensor]] = []
    leaving: list[Tensor] = []
    for stop in walk(model, rows):
        if stop.layer % step == 0:
            entering.append(stop.streams)
        leaving = stop.streams
    leaving = stop.run()
    ends = [*entering[1:], leaving]
    return [
        1 - float(torch.cat([_cosine(*pair) for pair in zip(start, end, strict=True)]).mean())
        for start, end in zip(entering, ends, strict=True)
    ]


def drop_layers(model: Decoder, count: int, rows: Tensor) -> tuple[Decoder, list[int]]:
    """Return a decoder without the `count` blocks of least influence, and which these were.

    Raises:
        UserError: nothing would be left, or half a pair would go, or the weights are packed.
    """
    _refuse_packed(model)
    step, layers = _step(model.config), model.config.num_layers
    if not 0 < count < layers or count % step:
        pairs = ", in pairs, since banded blocks alternate" if step > 1 else ""
        raise UserError(
            f"{count} of {layers} layers cannot be dropped; take 1 to {layers - 1}{pairs}."
        )
    influence = block_influence(model, rows)
    order = sorted(range(len(influence)), key=lambda group: influence[group])
    gone = {group * step + inner for group in order[: count // step] for inner in range(step)}
    kept = [layer for layer in range(layers) if layer not in gone]
    state = {n: t for n, t in _state(model).items() if not n.startswith("blocks.")}
    for new, old in enumerate(kept):
        for name, tensor in _state(model.blocks[old]).items():
            state[f"blocks.{new}.{name}"] = tensor
    return _decoder(model.config.model_copy(update={"num_layers": len(kept)}), state), sorted(gone)


@torch.no_grad()
def unit_sizes(model: Decoder, rows: Tensor) -> Tensor:
    """Return the size of what each unit of each layer's MLP adds to the stream, (L, F)."""
    sizes = []
    for stop in walk(model, rows):
        down = stop.block.get_submodule("mlp.down")
        assert isinstance(down, nn.Linear)
        heard: list[Tensor] = []
        hook = down.register_forward_pre_hook(
            lambda _, inputs, heard=heard: heard.append(inputs[0].abs().mean((0, 1)))
        )
        try:
            stop.run()
        finally:
            hook.remove()
        sizes.append(torch.stack(heard).mean(0) * down.weight.norm(dim=0))
    return torch.stack(sizes)


def drop_units(model: Decoder, share: float, rows: Tensor) -> tuple[Decoder, int]:
    """Return a decoder without a share of each MLP's units, and how many are kept.

    Raises:
        UserError: the share leaves all or nothing, or the weights are packed.
    """
    _refuse_packed(model)
    width = model.config.resolved_intermediate_size
    keep = round((1 - share) * width / _MULTIPLE) * _MULTIPLE
    if not 0 < share < 1 or not 0 < keep < width:
        raise UserError(
            f"A share of {share} of {width} units cannot be dropped: {keep} would stay (a multiple "
            f"of {_MULTIPLE}). Take a share between {_MULTIPLE / width:.3f} and "
            f"{1 - _MULTIPLE / width:.3f}."
        )
    state = _state(model)
    for layer, sizes in enumerate(unit_sizes(model, rows)):
        kept = sizes.topk(keep).indices.sort().values
        root = f"blocks.{layer}.mlp"
        state[f"{root}.down.weight"] = state[f"{root}.down.weight"][:, kept]
        if model.config.family == "gpt2":
            for leaf in ("weight", "bias"):
                state[f"{root}.up.{leaf}"] = state[f"{root}.up.{leaf}"][kept]
        else:
            both = torch.cat((kept, kept + width))  # the gate's rows, then the up's
            state[f"{root}.gate_up.weight"] = state[f"{root}.gate_up.weight"][both]
    return _decoder(model.config.model_copy(update={"intermediate_size": keep}), state), keep


def _cosine(before: Tensor, after: Tensor) -> Tensor:
    return F.cosine_similarity(before.float(), after.float(), dim=-1).flatten()


def _step(config: ModelConfig) -> int:
    return 2 if config.attention == "banded" else 1


def _refuse_packed(model: Decoder) -> None:
    if isinstance(model, QuantisedDecoder):
        raise UserError("The model is quantised. Prune its original, and quantise what comes out.")


def _state(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu() for name, tensor in module.state_dict().items()}


def _decoder(config: ModelConfig, state: dict[str, Tensor]) -> Decoder:
    with torch.device("meta"):
        model = Decoder(config)
    model.load_state_dict({n: t.float().clone() for n, t in state.items()}, assign=True)
    return model.eval()


if __name__ == "__main__":
    from hanlin.models import build_model

    shape = ModelConfig(vocab_size=512, hidden_size=64, num_heads=2, num_layers=4, zero_init=False)
    ids = torch.randint(0, 512, (4, 32), generator=torch.Generator().manual_seed(1))
    tiny = build_model(shape, seed=1)
    print([f"{value:.3f}" for value in block_influence(tiny, ids)], drop_layers(tiny, 1, ids)[1])
