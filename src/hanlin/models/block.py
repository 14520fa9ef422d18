"""The block of the decoder: attention, then an MLP, each added to the residual stream.

Both stand behind a norm (pre-norm; Radford et al. 2019). The families differ in their parts:

    family   norm       positions   queries, keys, values            MLP
    gpt2     LayerNorm  learned     biased, unless it is banded      GELU (tanh), biased
    llama    RMSNorm    rotary      no bias                          SwiGLU
    qwen2    RMSNorm    rotary      biased                           SwiGLU
    qwen3    RMSNorm    rotary      no bias, a norm on each q and k  SwiGLU

Shapes: B batch, T time, S keys, C channels, H heads, K key and value heads, D head dim.

    python -m hanlin.models.block
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hanlin.config import ModelConfig
from hanlin.models.cache import KVCache
from hanlin.models.fused import rms_norm, rotate, swiglu
from hanlin.models.paged import PagedPass
from hanlin.models.visibility import Visibility

__all__ = ["Attention", "Block", "RMSNorm", "norm_layer"]

Rotation = tuple[Tensor, Tensor]
"""Cosines and sines of the positions, each (..., T, 1, D/2)."""


class Block(nn.Module):
    """One layer: attention and an MLP, each added to the residual stream behind a norm."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        """Lay out layer number `layer`."""
        super().__init__()
        self.dropout = config.dropout
        self.attention_norm = norm_layer(config)
        self.attention = Attention(config, layer)
        self.mlp_norm = norm_layer(config)
        self.mlp: nn.Module = GeluMLP(config) if config.family == "gpt2" else SwiGLUMLP(config)

    def forward(
        self,
        x: Tensor,
        rotation: Rotation | None,
        view: Visibility,
        cache: KVCache | PagedPass | None,
    ) -> Tensor:
        """Return the residual stream (B, T, C) after this layer."""
        heard = self.attention(self.attention_norm(x), rotation, view, cache)
        x = x + F.dropout(heard, self.dropout, self.training)
        return x + F.dropout(self.mlp(self.mlp_norm(x)), self.dropout, self.training)


class Attention(nn.Module):
    """Causal attention with grouped queries; q, k and v come from one matrix product.

    The rows of `qkv.weight` are those of all query heads, then key heads, then value heads.
    """

    def __init__(self, config: ModelConfig, layer: int) -> None:
        """Lay out the attention of layer number `layer`."""
        super().__init__()
        width, self.head_dim = config.hidden_size, config.resolved_head_dim
        self.num_heads, self.num_kv_heads = config.num_heads, config.resolved_kv_heads
        self.layer = layer
        biased = config.family == "qwen2" or (
            config.family == "gpt2" and config.attention == "dense"
        )
        rows = (self.num_heads + 2 * self.num_kv_heads) * self.head_dim
        self.qkv = nn.Linear(width, rows, bias=biased)
        self.output = nn.Linear(self.num_heads * self.head_dim, width, bias=config.family == "gpt2")
        normed = config.family == "qwen3"
        self.query_norm = RMSNorm(self.head_dim, config.norm_eps) if normed else None
        self.key_norm = RMSNorm(self.head_dim, config.norm_eps) if normed else None

    def forward(
        self,
        x: Tensor,
        rotation: Rotation | None,
        view: Visibility,
        cache: KVCache | PagedPass | None,
    ) -> Tensor:
        """Return what each token of x (B, T, C) gathers from the tokens it sees: (B, T, C)."""
        batch, time, _ = x.shape
        heads = self.qkv(x).view(batch, time, -1, self.head_dim)  # (B, T, H + 2K, D)
        q, k, v = heads.split((self.num_heads, self.num_kv_heads, self.num_kv_heads), dim=2)
        if self.query_norm is not None and self.key_norm is not None:
            q, k = self.query_norm(q), self.key_norm(k)
        if rotation is not None:
            q, k = rotate(q, *rotation), rotate(k, *rotation)
        if isinstance(cache, PagedPass):
            return self.output(cache.attend(self.layer, q[0], k[0], v[0])[None])  # type: ignore[no-any-return]
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)  # (B, H or K, T, D)
        if cache is not None:
            k, v = cache.append(self.layer, k, v)
            k, v = k[:, :, view.first_key :], v[:, :, view.first_key :]  # (B, K, S, D)
        y = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=view.mask,
            is_causal=view.causal,
            enable_gqa=self.num_heads != self.num_kv_heads,
        )  # (B, H, T, D)
        return self.output(y.transpose(1, 2).reshape(batch, time, -1))  # type: ignore[no-any-return]


class GeluMLP(nn.Module):
    """GPT-2's MLP: GELU in its tanh form (Hendrycks and Gimpel 2016) between two biased layers."""

    def __init__(self, config: ModelConfig) -> None:
        """Lay out the two matrices."""
        super().__init__()
        self.up = nn.Linear(config.hidden_size, config.resolved_intermediate_size)
        self.down = nn.Linear(config.resolved_intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, C)."""
        return self.down(F.gelu(self.up(x), approximate="tanh"))  # type: ignore[no-any-return]


class SwiGLUMLP(nn.Module):
    """The gated MLP of Llama and Qwen; `gate_up.weight` holds the gate's rows, then the up's."""

    def __init__(self, config: ModelConfig) -> None:
        """Lay out the three matrices, two of them in one."""
        super().__init__()
        inner = config.resolved_intermediate_size
        self.gate_up = nn.Linear(config.hidden_size, 2 * inner, bias=False)
        self.down = nn.Linear(inner, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, C)."""
        return self.down(swiglu(self.gate_up(x)))  # type: ignore[no-any-return]


class RMSNorm(nn.Module):
    """RMSNorm with a gain over the last dimension."""

    def __init__(self, width: int, eps: float) -> None:
        """Lay out the gain."""
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Return x, scaled to a root mean square of one and by the gain."""
        return rms_norm(x, self.weight, self.eps)


def norm_layer(config: ModelConfig) -> nn.Module:
    """Return the family's norm over the residual stream."""
    if config.family == "gpt2":
        return nn.LayerNorm(config.hidden_size, eps=config.norm_eps)
    return RMSNorm(config.hidden_size, config.norm_eps)


if __name__ == "__main__":
    print(Block(ModelConfig(vocab_size=512, hidden_size=64, num_heads=2), layer=0))
