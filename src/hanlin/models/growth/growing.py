"""Grow a decoder: deeper, wider, or both, computing what it did before.

Width by copies whose outgoing weights are shares (`hanlin.models.growth.width`), depth by silent
blocks or by repeating the stack (`hanlin.models.growth.depth`). With a head of its own, the copies
of a dimension are divided in the head; with a tied head they cannot be, so they are divided in the
gain (and bias) of the last norm, which nothing but the head reads. A silent block is a copy whose
projections back into the stream are zero; its other weights are shaken a little, because the copies
inside it have no outgoing weights that could tell them apart.

    python -m hanlin.models.growth.growing
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hanlin.config import ModelConfig
from hanlin.models.decoder import Decoder
from hanlin.models.growth.depth import Source, insert_blocks, repeat_blocks
from hanlin.models.growth.shape import Depth, block_step, check_growth
from hanlin.models.growth.width import WidthMap, shares, split

__all__ = ["decoder_of", "grow"]

_SHAKE = 0.1
_BACK = ("attention.output", "mlp.down")
"""The projections back into the residual stream."""


@torch.no_grad()
def grow(
    model: Decoder, target: ModelConfig, *, depth: Depth = "identity", generator: torch.Generator
) -> Decoder:
    """Return a decoder of the resolved shape `target` that begins with the weights of `model`.

    Its logits are those of `model`, up to rounding, unless `depth` is `stack` and there are more
    layers. A longer context is free where positions are rotary, and a head may come untied.

    Raises:
        ModelError: the weights have no place in `target`; every reason is named.
    """
    start = model.config
    check_growth(start, target, depth)
    old = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    grower = _Grower(start, WidthMap.between(start, target), generator)
    state = grower.ends(old, target)
    for layer, source in enumerate(_sources(start, target, depth)):
        state |= {
            f"blocks.{layer}.{name}": tensor for name, tensor in grower.block(old, source).items()
        }
    return decoder_of(target, state)


class _Grower:
    """Maps the parameters of one model, by name, to those of a wider one."""

    def __init__(self, start: ModelConfig, width: WidthMap, generator: torch.Generator) -> None:
        self._width, self._generator = width, generator
        self._rows = {
            "attention.qkv": width.qkv_rows(start),
            "attention.output": width.dims,
            "mlp.up": width.units,
            "mlp.gate_up": width.gate_up_rows(start),
            "mlp.down": width.dims,
            "attention_norm": width.dims,
            "mlp_norm": width.dims,
        }
        self._columns = {
            "attention.qkv": width.dims,
            "attention.output": width.queries,
            "mlp.up": width.dims,
            "mlp.gate_up": width.dims,
            "mlp.down": width.units,
        }

    def ends(self, old: Mapping[str, Tensor], target: ModelConfig) -> dict[str, Tensor]:
        """Return all parameters that are in no block."""
        dims = self._width.dims
        state = {
            name: old[name][..., dims]
            for name in ("embedding.weight", "positions.weight", "norm.weight", "norm.bias")
            if name in old
        }
        if target.tie_embeddings:
            parts = shares(1, dims, self._generator)[0]
            for name in ("norm.weight", "norm.bias"):
                if name in state:
                    state[name] = state[name] * parts
        else:
            head = old.get("unembedding.weight", old["embedding.weight"])
            state["unembedding.weight"] = split(head, dims, self._generator)
        return state

    def block(self, old: Mapping[str, Tensor], source: Source) -> dict[str, Tensor]:
        """Return the parameters of one block, by their names in it."""
        root = f"blocks.{source.layer}."
        names = [name.removeprefix(root) for name in old if name.startswith(root)]
        return {name: self._parameter(name, old[root + name], source.silent) for name in names}

    def _parameter(self, name: str, tensor: Tensor, silent: bool) -> Tensor:
        layer = name.rpartition(".")[0]
        if layer in self._rows:  # QK-norms belong to heads, which keep their width
            tensor = tensor[self._rows[layer]]
        if tensor.ndim == 2:
            tensor = split(tensor, self._columns[layer], self._generator)
        if silent and layer in _BACK:
            return torch.zeros_like(tensor)
        if silent and tensor.ndim == 2:
            noise = torch.empty_like(tensor).uniform_(-_SHAKE, _SHAKE, generator=self._generator)
            return tensor * (1 + noise)
        return tensor.clone()


def _sources(start: ModelConfig, target: ModelConfig, depth: Depth) -> list[Source]:
    if depth == "stack":
        return repeat_blocks(start.num_layers, target.num_layers)
    return insert_blocks(start.num_layers, target.num_layers, step=block_step(start))


def decoder_of(config: ModelConfig, state: Mapping[str, Tensor]) -> Decoder:
    """Return a decoder with the weights of `state`, in fp32."""
    with torch.device("meta"):
        model = Decoder(config)
    model.load_state_dict({name: t.float().contiguous() for name, t in state.items()}, assign=True)
    for parameter in model.parameters():
        parameter.requires_grad_()
    return model


if __name__ == "__main__":
    from hanlin.models.build import build_model
    from hanlin.models.growth.shape import target_shape

    shape = ModelConfig(vocab_size=64, hidden_size=32, num_heads=2, num_layers=2, zero_init=False)
    small = build_model(shape, seed=1)
    asked = ModelConfig(hidden_size=64, num_layers=4)
    large = grow(small, target_shape(asked, shape), generator=torch.Generator().manual_seed(1))
    ids = torch.arange(16)[None]
    print(f"largest difference of a logit: {(small(ids) - large(ids)).abs().max():.1e}")
