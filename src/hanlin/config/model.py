"""The shape of a decoder, as a recipe says it and as a released folder records it.

Two families share one configurable decoder: `gpt2` (LayerNorm, learned positions, GELU, biases;
Radford et al. 2019, Brown et al. 2020) and `qwen3` (RMSNorm, rotary positions, QK-norm, SwiGLU,
grouped queries; Qwen3 technical report 2025). `llama` and `qwen2` are the `qwen3` block without
QK-norm and, for `qwen2`, with biases on q, k and v.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from hanlin.config._strict import Strict

__all__ = ["Family", "ModelConfig"]

Family = Literal["gpt2", "llama", "qwen2", "qwen3"]


class ModelConfig(Strict):
    """The shape of one decoder."""

    family: Family = "qwen3"
    """The block: `gpt2`, or `qwen3` and its relatives `llama` and `qwen2`."""
    preset: str = ""
    """A named size that fills in whatever is left out here, such as `4m` or `gpt3-small`."""
    vocab_size: int = Field(default=0, ge=0)
    """Rows of the embedding; 0 takes the tokenizer's."""
    context_length: int = Field(default=256, ge=8)
    """The longest sequence, in tokens."""
    hidden_size: int = Field(default=256, ge=8)
    """Width of the residual stream."""
    num_layers: int = Field(default=4, ge=1)
    """Blocks."""
    num_heads: int = Field(default=4, ge=1)
    """Query heads."""
    num_kv_heads: int = Field(default=0, ge=0)
    """Key and value heads; 0 takes `num_heads`."""
    head_dim: int = Field(default=0, ge=0)
    """Width of a head; 0 takes `hidden_size / num_heads`."""
    intermediate_size: int = Field(default=0, ge=0)
    """Width of the MLP; 0 takes 4 x (gpt2) or 8/3 x hidden_size, rounded up to 32 (qwen3)."""
    tie_embeddings: bool = True
    """Whether the head shares the embedding's weights."""
    norm_eps: float = Field(default=1e-6, gt=0)
    """Epsilon of the norms."""
    rope_theta: float = Field(default=10_000.0, gt=0)
    """Base of the rotary positions."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on the embedding, the attention's and the MLP's outputs."""
    attention: Literal["dense", "banded"] = "dense"
    """`banded` alternates dense layers with layers that see the last `band_width` tokens."""
    band_width: int = Field(default=128, ge=1)
    """What a banded layer sees, in tokens."""
    zero_init: bool = True
    """Whether projections back into the residual stream begin at zero (qwen3 family)."""

    @model_validator(mode="after")
    def _shapes_fit(self) -> Self:
        if self.preset:
            return self  # the preset is filled in, and the shape checked again, by resolve_model
        if not self.head_dim and self.hidden_size % self.num_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not divisible by num_heads {self.num_heads}; "
                f"take num_heads = {_nearest_divisor(self.hidden_size, self.num_heads)}"
            )
        if self.num_kv_heads and self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"num_heads {self.num_heads} is not divisible by num_kv_heads {self.num_kv_heads}"
            )
        if self.family != "gpt2" and self.resolved_head_dim % 2:
            raise ValueError(
                f"head_dim {self.resolved_head_dim} is odd; rotary positions need an even one"
            )
        if self.family == "gpt2" and (self.num_kv_heads or self.num_heads) != self.num_heads:
            raise ValueError("the gpt2 family has no grouped queries; leave num_kv_heads out")
        return self

    @property
    def resolved_head_dim(self) -> int:
        """Width of a head."""
        return self.head_dim or self.hidden_size // self.num_heads

    @property
    def resolved_kv_heads(self) -> int:
        """Number of key and value heads."""
        return self.num_kv_heads or self.num_heads

    @property
    def resolved_intermediate_size(self) -> int:
        """Width of the MLP."""
        if self.intermediate_size:
            return self.intermediate_size
        if self.family == "gpt2":
            return 4 * self.hidden_size
        return -(-8 * self.hidden_size // 3 // 32) * 32


def _nearest_divisor(number: int, wanted: int) -> int:
    return min((d for d in range(1, number + 1) if number % d == 0), key=lambda d: abs(d - wanted))
