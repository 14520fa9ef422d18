"""The Transformer encoder-decoder: layers of the GPT, and cross-attention between the halves.

    encoder   x += attention(norm(x));                                   x += mlp(norm(x))
    decoder   x += attention(norm(x));  x += cross(norm(x), memory);     x += mlp(norm(x))

(Vaswani et al. 2017, arXiv 1706.03762, with the norm in front: Xiong et al. 2020, arXiv 2002.04745;
rotary positions within each side, none across, since places of two languages do not correspond.)
The layers are those of `hanlin.models.block`. Padding of the source is masked everywhere, and
padding of the target stands after all that is learnt, so that the causal rule hides it.

Shapes: B batch, S source length, T target length, C channels, H heads, D head dim.

    python -m hanlin.models.seq2seq.transformer
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hanlin.config import Seq2SeqConfig
from hanlin.errors import ModelError
from hanlin.models.block import Attention, Block, RMSNorm, SwiGLUMLP, norm_layer
from hanlin.models.cache import KVCache
from hanlin.models.rotary import RotaryTable
from hanlin.models.seq2seq.base import Memory, Seq2SeqDecoder, Seq2SeqEncoder, visible_words
from hanlin.models.visibility import Visibility, see

__all__ = ["TransformerDecoder", "TransformerEncoder", "TransformerState"]

Rotation = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class TransformerState:
    """What the decoder keeps between two words."""

    cache: KVCache
    """Keys and values of the words written so far."""
    crossed: tuple[tuple[Tensor, Tensor], ...]
    """Keys and values (B, H, S, D) of the source, for each layer."""


class TransformerEncoder(Seq2SeqEncoder):
    """Layers in which every source word sees every other."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        """Lay out the layers; weights are not set."""
        super().__init__(config)
        shape = config.block
        self.blocks = nn.ModuleList(Block(shape, layer) for layer in range(config.num_layers))
        self.norm = norm_layer(shape)
        self._rotary = _table(config)

    def forward(self, source: Tensor) -> Memory:
        """Return what the decoder needs of `source` (B, S)."""
        visible = visible_words(source, self.config)
        x = self.embed(source)
        view = Visibility(visible[:, None, None, :], causal=False, first_key=0)
        rotation = self._rotary.at(slice(0, source.shape[1]), x)
        for block in self.blocks:
            x = block(x, rotation, view, None)
        return Memory(self.norm(x), visible)


class TransformerDecoder(Seq2SeqDecoder[TransformerState]):
    """Layers in which a target word sees those before it, and all of the source."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        """Lay out the layers; weights are not set."""
        super().__init__(config)
        self.layers = nn.ModuleList(CrossBlock(config, layer) for layer in range(config.num_layers))
        self.norm = norm_layer(config.block)
        self._rotary = _table(config)

    def hidden(self, target: Tensor, memory: Memory) -> Tensor:
        """Return states (B, T, C) ready for the head."""
        return self._run(target, self._read(memory), memory, None)

    def begin(self, memory: Memory, length: int) -> TransformerState:
        """Return the state before the first word of at most `length`."""
        like = memory.states
        cache = KVCache(
            self.config.block, like.shape[0], length, dtype=like.dtype, device=like.device
        )
        return TransformerState(cache, self._read(memory))

    def step(
        self, ids: Tensor, state: TransformerState, memory: Memory
    ) -> tuple[Tensor, TransformerState]:
        """Read one word a row; return the logits of the next and the state after it."""
        hidden = self._run(ids[:, None], state.crossed, memory, state.cache)
        return self.head(hidden[:, 0]), state

    def select(self, state: TransformerState, rows: Tensor) -> TransformerState:
        """Return the state of the rows whose numbers are given."""
        cache = copy.copy(state.cache)
        cache.keep_rows(rows)
        crossed = tuple(
            (k.index_select(0, rows), v.index_select(0, rows)) for k, v in state.crossed
        )
        return TransformerState(cache, crossed)

    def _read(self, memory: Memory) -> tuple[tuple[Tensor, Tensor], ...]:
        return tuple(layer.cross.read(memory.states) for layer in self._layers)

    def _run(
        self,
        target: Tensor,
        crossed: tuple[tuple[Tensor, Tensor], ...],
        memory: Memory,
        cache: KVCache | None,
    ) -> Tensor:
        start = cache.length if cache is not None else 0
        end = start + target.shape[1]
        if end > self.config.context_length:
            raise ModelError(
                f"A target of {end} tokens does not fit the model's context_length "
                f"{self.config.context_length}. Give or ask for a shorter one."
            )
        x = self.embed(target)
        rotation = self._rotary.at(slice(start, end), x)
        view = see(target, cache=cache, segment_ids=None, band=None)
        mask = memory.visible[:, None, None, :]
        for layer, (keys, values) in zip(self._layers, crossed, strict=True):
            x = layer(x, rotation, view, cache, keys, values, mask)
        if cache is not None:
            cache.advance(target.shape[1])
        return self.norm(x)  # type: ignore[no-any-return]

    @property
    def _layers(self) -> list[CrossBlock]:
        return [layer for layer in self.layers if isinstance(layer, CrossBlock)]


class CrossBlock(nn.Module):
    """One layer of the decoder: attention, cross-attention and an MLP, each behind a norm."""

    def __init__(self, config: Seq2SeqConfig, layer: int) -> None:
        """Lay out layer number `layer`."""
        super().__init__()
        shape = config.block
        self.dropout = config.dropout
        self.attention_norm = norm_layer(shape)
        self.attention = Attention(shape, layer)
        self.cross_norm = norm_layer(shape)
        self.cross = CrossAttention(config)
        self.mlp_norm = norm_layer(shape)
        self.mlp = SwiGLUMLP(shape)

    def forward(
        self,
        x: Tensor,
        rotation: Rotation,
        view: Visibility,
        cache: KVCache | None,
        keys: Tensor,
        values: Tensor,
        mask: Tensor,
    ) -> Tensor:
        """Return the residual stream (B, T, C) after this layer."""
        x = x + self._drop(self.attention(self.attention_norm(x), rotation, view, cache))
        x = x + self._drop(self.cross(self.cross_norm(x), keys, values, mask))
        return x + self._drop(self.mlp(self.mlp_norm(x)))

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


class CrossAttention(nn.Module):
    """Queries from the target, keys and values from the source, a norm on each query and key."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        """Lay out the matrices; the rows of `key_value` are those of the keys, then the values."""
        super().__init__()
        shape = config.block
        self.head_dim = shape.resolved_head_dim
        inner = shape.num_heads * self.head_dim
        self.query = nn.Linear(config.hidden_size, inner, bias=False)
        self.key_value = nn.Linear(config.hidden_size, 2 * inner, bias=False)
        self.output = nn.Linear(inner, config.hidden_size, bias=False)
        self.query_norm = RMSNorm(self.head_dim, config.norm_eps)
        self.key_norm = RMSNorm(self.head_dim, config.norm_eps)

    def read(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Return the keys and values (B, H, S, D) of the source's states (B, S, C)."""
        keys, values = self.key_value(states).chunk(2, dim=-1)  # (B, S, H * D)
        return self.key_norm(self._part(keys)), self._part(values)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """Return what each word of x (B, T, C) gathers from the source: (B, T, C)."""
        query = self.query_norm(self._part(self.query(x)))
        y = F.scaled_dot_product_attention(query, keys, values, attn_mask=mask)  # (B, H, T, D)
        return self.output(y.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _part(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], -1, self.head_dim).transpose(1, 2)  # (B, H, T, D)


def _table(config: Seq2SeqConfig) -> RotaryTable:
    return RotaryTable(config.context_length, config.block.resolved_head_dim, config.rope_theta)


if __name__ == "__main__":
    shape = Seq2SeqConfig(source_vocab_size=9, target_vocab_size=9, start_id=1, end_id=2)
    memory = TransformerEncoder(shape)(torch.tensor([[3, 4, 5], [6, 7, 0]]))
    print(memory.states.shape, memory.visible)
