"""Our parameters beside those of transformers: names, order, orientation and scale.

A `Rule` ties one parameter of ours to the tensors that hold it in a released folder. Three layouts
cover all that we read and write:

- `gpt2`: q, k and v in one tensor as here; matrices are transposed (GPT-2's Conv1D);
- `gpt_neo`: the banded form of the gpt2 family. q, k and v are apart and without bias. GPT-Neo
  does not divide scores by sqrt(D), so that factor moves into q on the way out, and back;
- `llama`, `qwen2`, `qwen3`: q, k and v apart, gate and up apart.

    python -m hanlin.models.names
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hanlin.config import ModelConfig

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Rule", "from_released", "is_derived", "layout", "rules", "to_released"]

_DERIVED = re.compile(r"\.attn\.(attention\.)?(bias|masked_bias)$|rotary_emb\.inv_freq$")


@dataclass(frozen=True, slots=True)
class Rule:
    """Where one of our parameters lies in a released folder."""

    ours: str
    theirs: tuple[str, ...]
    """The tensors whose rows, put together, are ours."""
    rows: tuple[int, ...] = ()
    """Rows of each, where there are several."""
    transposed: bool = False
    """Whether theirs is transposed."""
    scale: float = 1.0
    """What the first of theirs is ours times."""

    def release(self, tensor: Tensor) -> dict[str, Tensor]:
        """Return their tensors for ours."""
        parts = [tensor]
        if self.rows:
            import torch  # here alone, so that the names are to be had without it

            parts = list(torch.split(tensor, list(self.rows)))
        if self.scale != 1.0:
            parts[0] = parts[0] * self.scale
        if self.transposed:
            parts = [part.T for part in parts]
        return {name: part.contiguous() for name, part in zip(self.theirs, parts, strict=True)}

    def adopt(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """Return our tensor for theirs."""
        parts = [tensors[name] for name in self.theirs]
        if self.transposed:
            parts = [part.T for part in parts]
        if self.scale != 1.0:
            parts[0] = parts[0] / self.scale
        if len(parts) == 1:
            return parts[0]
        import torch

        return torch.cat(parts)

    def shapes(self, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """Return the shapes that their tensors must have if ours has `shape`."""
        whole = [(rows, *shape[1:]) for rows in self.rows] or [shape]
        return {
            name: tuple(reversed(part)) if self.transposed else part
            for name, part in zip(self.theirs, whole, strict=True)
        }


def layout(config: ModelConfig) -> str:
    """Return the `model_type` under which a shape is released."""
    if config.family == "gpt2" and config.attention == "banded":
        return "gpt_neo"
    return config.family


def rules(config: ModelConfig) -> Iterator[Rule]:
    """Yield one rule for each parameter of a model."""
    if config.family == "gpt2":
        yield from _gpt2_rules(config)
    else:
        yield from _llama_rules(config)
    if not config.tie_embeddings:
        yield Rule("unembedding.weight", ("lm_head.weight",))


def to_released(state: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Return the tensors of a released folder for the parameters of a model."""
    released: dict[str, Tensor] = {}
    for rule in rules(config):
        released |= rule.release(state[rule.ours].detach())
    return released


def from_released(tensors: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Return the parameters of a model for the tensors of a released folder."""
    return {rule.ours: rule.adopt(tensors) for rule in rules(config)}


def is_derived(name: str) -> bool:
    """Whether a tensor is a table that old folders store and that we compute.

    >>> is_derived("transformer.h.0.attn.masked_bias"), is_derived("h.0.attn.c_attn.bias")
    (True, False)
    """
    return bool(_DERIVED.search(name))


def _gpt2_rules(config: ModelConfig) -> Iterator[Rule]:
    root, neo = "transformer", config.attention == "banded"
    yield Rule("embedding.weight", (f"{root}.wte.weight",))
    yield Rule("positions.weight", (f"{root}.wpe.weight",))
    yield from _biased("norm", f"{root}.ln_f")
    for layer in range(config.num_layers):
        ours, theirs = f"blocks.{layer}", f"{root}.h.{layer}"
        yield from _biased(f"{ours}.attention_norm", f"{theirs}.ln_1")
        yield from _biased(f"{ours}.mlp_norm", f"{theirs}.ln_2")
        yield from _biased(f"{ours}.mlp.up", f"{theirs}.mlp.c_fc", transposed=not neo)
        yield from _biased(f"{ours}.mlp.down", f"{theirs}.mlp.c_proj", transposed=not neo)
        if neo:
            attention = f"{theirs}.attn.attention"
            scale = config.resolved_head_dim**-0.5
            yield _qkv(f"{ours}.attention.qkv.weight", attention, "weight", config, scale)
            yield from _biased(f"{ours}.attention.output", f"{attention}.out_proj")
        else:
            attention = f"{theirs}.attn"
            yield from _biased(f"{ours}.attention.qkv", f"{attention}.c_attn", transposed=True)
            yield from _biased(f"{ours}.attention.output", f"{attention}.c_proj", transposed=True)


def _llama_rules(config: ModelConfig) -> Iterator[Rule]:
    yield Rule("embedding.weight", ("model.embed_tokens.weight",))
    yield Rule("norm.weight", ("model.norm.weight",))
    inner = config.resolved_intermediate_size
    for layer in range(config.num_layers):
        ours, theirs = f"blocks.{layer}", f"model.layers.{layer}"
        attention, mlp = f"{theirs}.self_attn", f"{theirs}.mlp"
        yield Rule(f"{ours}.attention_norm.weight", (f"{theirs}.input_layernorm.weight",))
        yield Rule(f"{ours}.mlp_norm.weight", (f"{theirs}.post_attention_layernorm.weight",))
        yield _qkv(f"{ours}.attention.qkv.weight", attention, "weight", config)
        if config.family == "qwen2":
            yield _qkv(f"{ours}.attention.qkv.bias", attention, "bias", config)
        if config.family == "qwen3":
            yield Rule(f"{ours}.attention.query_norm.weight", (f"{attention}.q_norm.weight",))
            yield Rule(f"{ours}.attention.key_norm.weight", (f"{attention}.k_norm.weight",))
        yield Rule(f"{ours}.attention.output.weight", (f"{attention}.o_proj.weight",))
        gate_up = (f"{mlp}.gate_proj.weight", f"{mlp}.up_proj.weight")
        yield Rule(f"{ours}.mlp.gate_up.weight", gate_up, rows=(inner, inner))
        yield Rule(f"{ours}.mlp.down.weight", (f"{mlp}.down_proj.weight",))


def _biased(ours: str, theirs: str, *, transposed: bool = False) -> Iterator[Rule]:
    yield Rule(f"{ours}.weight", (f"{theirs}.weight",), transposed=transposed)
    yield Rule(f"{ours}.bias", (f"{theirs}.bias",))


def _qkv(ours: str, attention: str, leaf: str, config: ModelConfig, scale: float = 1.0) -> Rule:
    theirs = tuple(f"{attention}.{part}_proj.{leaf}" for part in "qkv")
    dim, pairs = config.resolved_head_dim, config.resolved_kv_heads
    rows = (config.num_heads * dim, pairs * dim, pairs * dim)
    return Rule(ours, theirs, rows=rows, scale=scale)


if __name__ == "__main__":
    for example in rules(ModelConfig(num_layers=1)):
        print(f"{example.ours:40} {', '.join(example.theirs)}")
