"""The decoder: one configurable GPT for the `gpt2`, `llama`, `qwen2` and `qwen3` families.

Token embeddings (and, in the gpt2 family, learned positions) begin the residual stream, blocks add
to it, a last norm and the head read it (Radford et al. 2019); `hanlin.models.block` tells in what
the families differ.

`hidden` and `head` are apart, so that a loss can be taken in chunks without ever holding the
logits of a whole batch. Banded models alternate: even layers are dense, odd ones see `band_width`
tokens, themselves included.

Shapes: B batch, T time, C channels, V vocab.

    python -m hanlin.models.decoder
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hanlin.config import ModelConfig
from hanlin.errors import ModelError
from hanlin.models.block import Block, norm_layer
from hanlin.models.cache import KVCache
from hanlin.models.paged import PagedPass
from hanlin.models.rotary import RotaryTable
from hanlin.models.visibility import Visibility, see

__all__ = ["Decoder"]


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
        self.norm = norm_layer(config)
        self.heads: nn.ModuleList | None = None
        """Output nodes of `hanlin.models.heads`, while they learn; none in a release's weights."""
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
        self,
        ids: Tensor,
        *,
        cache: KVCache | None = None,
        segment_ids: Tensor | None = None,
        embeddings: Tensor | None = None,
    ) -> Tensor:
        """Return the normed residual stream (B, T, C) that `head` turns into logits.

        With a `cache`, `ids` follow the tokens that it holds and are added to it. With
        `segment_ids` (B, T), and no cache, a token sees only its own segment; positions run on.
        `embeddings` (B, T, C) stand in place of those of `ids`, as `embedding(ids)` gives them.

        Raises:
            ModelError: if the tokens do not fit `context_length`.
        """
        places = self._places(ids.shape[1], cache)
        x = self.embedding(ids) if embeddings is None else embeddings  # (B, T, C)
        if self.positions is not None:
            x = x + self._position_rows(places)
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

    def hidden_paged(self, ids: Tensor, step: PagedPass) -> Tensor:
        """Return the normed residual stream (N, C) of the tokens (N,) of a pass over many texts.

        Keys and values are kept in the pass's cache; `hidden` with a `KVCache` is the reference.
        """
        x = self.embedding(ids)[None]  # (1, N, C)
        if self.positions is not None:
            x = x + self._position_rows(step.places)
        rotation = None if self.positions is not None else self._rotary.at(step.places, x)
        unused = Visibility(None, causal=False, first_key=0)  # a pass knows what each text sees
        for block in self.blocks:
            x = block(x, rotation, unused, step)
        return self.norm(x)[0]  # type: ignore[no-any-return]

    def _position_rows(self, places: slice | Tensor) -> Tensor:
        """Return the learned positions at `places`: (T, C), or (B, T, C) behind padding."""
        assert self.positions is not None
        return self.positions.weight[places]

    def _places(self, count: int, cache: KVCache | None) -> slice | Tensor:
        """Return the positions of `count` new tokens: a range, or (B, T) behind padding."""
        start = cache.length if cache is not None else 0
        padding = cache.padding if cache is not None else None
        longest = start + count - (int(padding.min()) if padding is not None else 0)
        if longest > self.config.context_length:
            raise ModelError(
                f"{longest} tokens do not fit the model's context_length "
                f"{self.config.context_length}. Give fewer tokens."
            )
        if padding is None:
            return slice(start, start + count)
        steps = torch.arange(start, start + count, device=padding.device)
        return (steps - padding[:, None]).clamp_(min=0)

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
            for name, weight in self.named_parameters()
            if name.endswith(".weight") and (rows := _rows_of(name, weight, self.config))
        }


def _rows_of(name: str, weight: Tensor, config: ModelConfig) -> tuple[int, ...]:
    heads, kv_heads, dim = config.num_heads, config.resolved_kv_heads, config.resolved_head_dim
    if name.endswith(".qkv.weight"):
        return (heads * dim, kv_heads * dim, kv_heads * dim)
    if name.endswith(".gate_up.weight"):
        return (weight.shape[0] // 2,) * 2  # new units beside old ones have a width of their own
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
