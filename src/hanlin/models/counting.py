"""Parameters, floating-point operations and memory of a decoder, from its shape alone.

A token costs 6 operations for each weight that multiplies it: 2 forward (a product and a sum) and
4 backward (for the input's gradient and for the weight's). The embedding is looked up and not
multiplied, but the head is, also where the two are tied. Attention adds, per layer and token, the
products q k and p v over all T tokens: 4 H D T forward, 12 H D T in all. This is the count of
torchtitan and of the PaLM paper (Chowdhery et al. 2022, arXiv 2204.02311, appendix B), which leaves
causality out; `causal=True` counts only the half that a causal kernel has to compute.

A step of a model that is frozen in part costs less: a weight's own gradient is found only where it
learns, and its input's only where something before it does. `step_flops_per_token` counts so, and
gives for a model of which all learns what `flops_per_token` does.

    python -m hanlin.models.counting
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from hanlin.config import ModelConfig

if TYPE_CHECKING:
    from torch import nn

    from hanlin.models.block import Block
    from hanlin.models.decoder import Decoder

__all__ = [
    "ParameterCount",
    "cache_bytes",
    "count_parameters",
    "flops_per_token",
    "forward_flops_per_token",
    "step_flops_per_token",
]


@dataclass(frozen=True, slots=True)
class ParameterCount:
    """The parameters of a decoder by part."""

    embedding: int
    positions: int
    attention: int
    mlp: int
    norms: int
    head: int
    """0 where the head shares the embedding's weights."""

    @property
    def total(self) -> int:
        """All parameters."""
        return self.non_embedding + self.embedding + self.positions + self.head

    @property
    def non_embedding(self) -> int:
        """The blocks and the norms: what Kaplan et al. 2020 call N."""
        return self.attention + self.mlp + self.norms


def count_parameters(config: ModelConfig) -> ParameterCount:
    """Return the parameters of a resolved shape by part."""
    width, layers, family = config.hidden_size, config.num_layers, config.family
    inner, dim = config.resolved_intermediate_size, config.resolved_head_dim
    queries, pairs = config.num_heads * dim, 2 * config.resolved_kv_heads * dim
    gpt2 = family == "gpt2"
    biased = family == "qwen2" or (gpt2 and config.attention == "dense")
    attention = width * (queries + pairs) + queries * width
    attention += (queries + pairs) * biased + width * gpt2
    mlp = 2 * width * inner + inner + width if gpt2 else 3 * width * inner
    norms = (2 * layers + 1) * width * (2 if gpt2 else 1)
    return ParameterCount(
        embedding=config.vocab_size * width,
        positions=config.context_length * width if gpt2 else 0,
        attention=layers * attention,
        mlp=layers * mlp,
        norms=norms + 2 * dim * layers * (family == "qwen3"),
        head=0 if config.tie_embeddings else config.vocab_size * width,
    )


def flops_per_token(
    config: ModelConfig, context: int | None = None, *, causal: bool = False
) -> int:
    """Return the operations of one training step, forward and backward, for one token.

    `context` is the length of the training sequences (the model's own if None). A banded layer
    counts its band in place of the context.
    """
    length = context or config.context_length
    dense = (config.num_layers + 1) // 2 if config.attention == "banded" else config.num_layers
    banded = config.num_layers - dense
    seen = dense * length / (2 if causal else 1) + banded * min(length, config.band_width)
    weights = count_parameters(config).non_embedding + config.vocab_size * config.hidden_size
    return 6 * weights + int(12 * config.num_heads * config.resolved_head_dim * seen)


def forward_flops_per_token(
    config: ModelConfig, context: int | None = None, *, causal: bool = False
) -> int:
    """Return the operations of the forward pass alone for one token: a third."""
    return flops_per_token(config, context, causal=causal) // 3


def step_flops_per_token(module: Decoder, context: int | None = None) -> int:
    """Return the operations of one training step of this very module for one token.

    What of it learns is told by `requires_grad`. The forward pass counts 2 for each weight, the
    backward pass 2 for the gradient of its input where something before it learns, and 2 for its
    own where it learns; the products of attention count by the same rule, twice backward.
    """
    shape = module.config
    length = context or shape.context_length
    total, reached = 0, _learns(module.embedding) or _learns(module.positions)
    for part in _passed(module, length):
        if isinstance(part, int):  # the products q k and p v, which no weight multiplies
            total += part * (1 + 2 * reached)
            continue
        for weight in part.parameters():
            total += weight.numel() * (2 + 2 * reached + 2 * weight.requires_grad)
            reached = reached or weight.requires_grad
    head = module.embedding if module.unembedding is None else module.unembedding
    size = shape.vocab_size * shape.hidden_size
    return total + size * (2 + 2 * reached + 2 * _learns(head))


def _passed(module: Decoder, length: int) -> Iterator[nn.Module | int]:
    """Yield what a token passes in order: modules, and the operations of attention forward."""
    shape = module.config
    inner = 4 * shape.num_heads * shape.resolved_head_dim
    for layer, block in enumerate(cast("Iterable[Block]", module.blocks)):
        attention = block.attention
        banded = shape.attention == "banded" and layer % 2 == 1
        yield from (block.attention_norm, attention.qkv)
        yield from (part for part in (attention.query_norm, attention.key_norm) if part)
        yield inner * (min(length, shape.band_width) if banded else length)
        yield from (attention.output, block.mlp_norm, block.mlp)
    yield module.norm


def _learns(part: nn.Module | None) -> bool:
    return part is not None and any(weight.requires_grad for weight in part.parameters())


def cache_bytes(config: ModelConfig, batch: int, length: int, *, bytes_per_value: int = 4) -> int:
    """Return the memory of a key-value cache in bytes."""
    row = 2 * config.num_layers * config.resolved_kv_heads * config.resolved_head_dim
    return row * batch * length * bytes_per_value


if __name__ == "__main__":
    shape = ModelConfig(vocab_size=8192, hidden_size=384, num_layers=6, num_heads=6)
    print(count_parameters(shape), f"{flops_per_token(shape) / 1e6:.1f} MFLOP a token")
