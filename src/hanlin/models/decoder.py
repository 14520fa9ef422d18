"""The decoder: one configurable GPT for the `gpt2`, `llama`, `qwen2` and `qwen3` families.

A block adds attention and then an MLP to the residual stream, each behind a norm (pre-norm; Radford
et al. 2019). The families differ only in the parts:

    family   norm       positions   queries, keys, values       MLP
    gpt2     LayerNorm  learned     biased (dense layout)       GELU (tanh), biased
    llama    RMSNorm    rotary      no bias                     SwiGLU
    qwen2    RMSNorm    rotary      biased                      SwiGLU
    qwen3    RMSNorm    rotary      no bias, RMSNorm a head     SwiGLU

`hidden` and `head` are apart, so that a loss can be taken in chunks without ever holding the logits
of a whole batch. Banded models alternate: even layers are dense, odd layers see `band_width` tokens.

Shapes: B batch, T time, S keys, C channels, H heads, K key and value heads, D head dim, V vocab.

    python -m hanlin.models.decoder
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hanlin.config import ModelConfig
from hanlin.errors import ModelError
from hanlin.models.cache import KVCache
from hanlin.models.fused import rms_norm, rotate, swiglu
from hanlin.models.rotary import RotaryTable
from hanlin.models.visibility import Visibility, see

__all__ = ["Attention", "Block", "Decoder", "RMSNorm"]

Rotation = tuple[Tensor, Tensor]


class Decoder(nn.Module):
    """A GPT: token ids in, logits of the next token out."""

    def __init__(self, config: ModelConfig) -> None:
        """Lay out the model that `config` (of `resolve_model`) describes; weights are not set."""
        super().__init__()
        _check(config)
        self.config = config
        width = config.hidden_size
        self.embedding = nn.Embedding(config.vocab_size, width)
        self.positions = (
            nn.Embedding(config.context_length, width) if config.family == "gpt2" else None
        )
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.num_layers))
        self.norm = _norm(config)
        self.unembedding = (
            None if config.tie_embeddings else nn.Linear(width, config.vocab_size, bias=False)
        )
        self._rotary = RotaryTable(
            config.context_length, config.resolved_head_dim, config.rope_theta
        )

    def forward(
        self, ids: Tensor, *, cache: KVCache | None = None, segment_ids: Tensor | None = None
    ) -> Tensor:
        """Return the logits (B, T, V) of the token after each of `ids` (B, T)."""
        return self.head(self.hidden(ids, cache=cache, segment_ids=segment_ids))

    def hidden(
        self, ids: Tensor, *, cache: KVCache | None = None, segment_ids: Tensor | None = None
    ) -> Tensor:
        """Return the normed residual stream (B, T, C) that `head` turns into logits.

        With a `cache`, `ids` follow the tokens that it holds and are added to it. With
        `segment_ids` (B, T), a token sees only tokens of its own segment; positions run on.

        Raises:
            ModelError: if the tokens do not fit `context_length`.
        """
        start = cache.length if cache is not None else 0
        end = start + ids.shape[1]
        if end > self.config.context_length:
            raise ModelError(
                f"{end} tokens do not fit the model's context_length "
                f"{self.config.context_length}. Give fewer tokens."
            )
        places = _places(start, end, cache)
        x = self.embedding(ids)  # (B, T, C)
        if self.positions is not None:
            x = x + (self.positions.weight[places] if isinstance(places, slice) else self.positions(places))
        x = F.dropout(x, self.config.dropout, self.training)
        rotation = None if self.positions is not None else self._rotary.at(places, x)
        views = [see(ids, cache=cache, segment_ids=segment_ids, band=None)]
        if self.config.attention == "banded":
            band = self.config.band_width
            views.append(see(ids, cache=cache, segment_ids=segment_ids, band=band))
        for layer, block in enumerate(self.blocks):
            x = block(x, rotation, views[layer % len(views)], cache)
        if cache is not None:
            cache.advance(ids.shape[1])
        return self.norm(x)  # type: ignore[no-any-return]

    def head(self, hidden: Tensor) -> Tensor:
        """Return the logits (..., V) of normed hidden states (..., C)."""
        layer = self.embedding if self.unembedding is None else self.unembedding
        return F.linear(hidden, layer.weight)

    def new_cache(self, batch: int, length: int, *, padding: Tensor | None = None) -> KVCache:
        """Return an empty cache for `batch` rows of `length` tokens; `padding` is (B,) or None."""
        like = self.embedding.weight
        return KVCache(
            self.config, batch, length, dtype=like.dtype, device=like.device, padding=padding
        )

    def fused_rows(self) -> dict[str, tuple[int, ...]]:
        """Return, for each parameter that holds several matrices, the rows of each in order.

        An optimiser that treats matrices as wholes (Muon) takes `weight.split(rows)` apart.
        """
        return {
            name: rows
            for name, _ in self.named_parameters()
            if name.endswith(".weight") and (rows := _rows_of(name, self.config))
        }


class Block(nn.Module):
    """One layer: attention and an MLP, each added to the residual stream behind a norm."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        """Lay out layer number `layer`."""
        super().__init__()
        self.dropout = config.dropout
        self.attention_norm = _norm(config)
        self.attention = Attention(config, layer)
        self.mlp_norm = _norm(config)
        self.mlp: nn.Module = GeluMLP(config) if config.family == "gpt2" else SwiGLUMLP(config)

    def forward(
        self, x: Tensor, rotation: Rotation | None, view: Visibility, cache: KVCache | None
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
        self.output = nn.Linear(
            self.num_heads * self.head_dim, width, bias=config.family == "gpt2"
        )
        normed = config.family == "qwen3"
        self.query_norm = RMSNorm(self.head_dim, config.norm_eps) if normed else None
        self.key_norm = RMSNorm(self.head_dim, config.norm_eps) if normed else None

    def forward(
        self, x: Tensor, rotation: Rotation | None, view: Visibility, cache: KVCache | None
    ) -> Tensor:
        """Return what each token of x (B, T, C) gathers from the tokens it sees: (B, T, C)."""
        batch, time, _ = x.shape
        heads = self.qkv(x).view(batch, time, -1, self.head_dim)  # (B, T, H + 2K, D)
        q, k, v = heads.split((self.num_heads, self.num_kv_heads, self.num_kv_heads), dim=2)
        if self.query_norm is not None and self.key_norm is not None:
            q, k = self.query_norm(q), self.key_norm(k)
        if rotation is not None:
            q, k = rotate(q, *rotation), rotate(k, *rotation)
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
    """The gated MLP of Llama and Qwen; the rows of `gate_up.weight` are the gate's, then the up's."""

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


def _norm(config: ModelConfig) -> nn.Module:
    if config.family == "gpt2":
        return nn.LayerNorm(config.hidden_size, eps=config.norm_eps)
    return RMSNorm(config.hidden_size, config.norm_eps)


def _places(start: int, end: int, cache: KVCache | None) -> slice | Tensor:
    """Return the positions of the tokens: one range, or (B, T) where rows begin with padding."""
    if cache is None or cache.padding is None:
        return slice(start, end)
    steps = torch.arange(start, end, device=cache.padding.device)
    return (steps - cache.padding[:, None]).clamp_(min=0)


def _rows_of(name: str, config: ModelConfig) -> tuple[int, ...]:
    heads, kv_heads, dim = config.num_heads, config.resolved_kv_heads, config.resolved_head_dim
    if name.endswith(".qkv.weight"):
        return (heads * dim, kv_heads * dim, kv_heads * dim)
    if name.endswith(".gate_up.weight"):
        return (config.resolved_intermediate_size,) * 2
    return ()


def _check(config: ModelConfig) -> None:
    if not config.vocab_size:
        raise ModelError(
            "vocab_size is 0, which stands for the tokenizer's. "
            "Call resolve_model(config, tokenizer.vocab_size) first."
        )
    if config.attention == "banded" and config.family == "llama":
        raise ModelError(
            "attention = 'banded' has no place in transformers' llama layout. "
            "Take family = 'qwen3', 'qwen2' or 'gpt2', or attention = 'dense'."
        )
    inner = config.num_heads * config.resolved_head_dim
    if config.family in ("gpt2", "qwen2") and inner != config.hidden_size:
        raise ModelError(
            f"num_heads {config.num_heads} x head_dim {config.resolved_head_dim} = {inner} differs "
            f"from hidden_size {config.hidden_size}, which the {config.family} family cannot hold. "
            "Leave head_dim out."
        )


if __name__ == "__main__":
    tiny = Decoder(ModelConfig(vocab_size=512, hidden_size=64, num_heads=2, num_layers=2))
    print(tiny)
    print(tiny(torch.arange(8)[None]).shape)
