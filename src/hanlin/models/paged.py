"""Keys and values in pages, and one pass of the decoder over stretches of many texts.

The memory is cut into blocks of equally many tokens (Kwon et al. 2023, arXiv 2309.06180). A text's
table names the blocks that hold it, so that texts of every length share one memory, and two texts
with the same beginning share its blocks. A pass reads the tokens of all its stretches side by side:
the matrices see them as the rows of one product, and each stretch looks at its own text alone.

A text whose blocks follow each other is read where it lies; one that is scattered is gathered. Both
hand the same numbers to the same kernel. `Decoder.hidden` with a `KVCache` is the plain reference.

Shapes: N tokens of a pass, S tokens of a text, P tokens of the memory, H heads, K key and value
heads, D head dim.

    python -m hanlin.models.paged
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from hanlin.config import ModelConfig
from hanlin.models.pages import Pages, SmallPages
from hanlin.models.visibility import Past, Visibility, see

__all__ = ["PagedCache", "PagedPass", "Stretch"]


class PagedCache:
    """Memory for the keys and values of all layers, in blocks."""

    def __init__(
        self,
        config: ModelConfig,
        num_blocks: int,
        block_tokens: int,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        small: bool = False,
    ) -> None:
        """Take memory for `num_blocks` blocks of `block_tokens` tokens, in 8 bits if `small`."""
        heads, dim = config.resolved_kv_heads, config.resolved_head_dim
        shape = (config.num_layers, num_blocks * block_tokens, heads, dim)
        kind = SmallPages if small else Pages
        self.keys, self.values = kind(shape, dtype, device), kind(shape, dtype, device)
        self.device = torch.device(device)
        self.num_blocks, self.block_tokens = num_blocks, block_tokens
        self.band = config.band_width if config.attention == "banded" else None

    def slots(self, table: Sequence[int], end: int) -> slice | Tensor:
        """Return where a text's first `end` tokens lie: a range if its blocks follow each other."""
        size = self.block_tokens
        used = table[: -(-end // size)]
        if all(block == used[0] + place for place, block in enumerate(used)):
            return slice(used[0] * size, used[0] * size + end)
        blocks = torch.tensor(used, device=self.device)
        within = torch.arange(size, device=self.device)
        return (blocks[:, None] * size + within).flatten()[:end]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Tokens of one text that a pass reads: `count` of them after the first `start`."""

    table: Sequence[int]
    """The text's blocks, in order."""
    start: int
    """Tokens of the text that the cache holds already."""
    count: int
    """Tokens that are read now."""


class PagedPass:
    """Where the tokens of one pass come from and go to; attention calls `attend` in each layer."""

    def __init__(self, cache: PagedCache, stretches: Sequence[Stretch], width: int = 0) -> None:
        """Describe a pass over stretches, in order; rows up to `width` are idle padding.

        A stretch may follow another of the same text, since a layer writes all keys before any
        query looks.
        """
        device = cache.device
        self._cache = cache
        self._slots = [cache.slots(s.table, s.start + s.count) for s in stretches]
        self._counts = [stretch.count for stretch in stretches]
        size = cache.block_tokens
        places = [p for s in stretches for p in range(s.start, s.start + s.count)]
        targets = [
            s.table[p // size] * size + p % size
            for s in stretches
            for p in range(s.start, s.start + s.count)
        ]
        self._targets = torch.tensor(targets, device=device)
        self._idle = max(0, width - len(places))
        self.places = torch.tensor(places + [0] * self._idle, device=device)  # (N,)
        bands = [None] if cache.band is None else [None, cache.band]
        self._views = [[_view(s, band, device) for s in stretches] for band in bands]

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Store k and v (N, K, D); return what the queries q (N, H, D) gather: (N, H D)."""
        keys, values = self._cache.keys, self._cache.values
        busy = len(self._targets)
        keys.write(layer, self._targets, k[:busy])
        values.write(layer, self._targets, v[:busy])
        grouped = q.shape[1] != k.shape[1]
        queries = q.transpose(0, 1)[None]  # (1, H, N, D)
        heard = []
        views = self._views[layer % len(self._views)]
        own = torch.split(queries[:, :, :busy], self._counts, 2)  # (1, H, T, D) each
        for part, slots, view in zip(own, self._slots, views, strict=True):
            seen = _without(slots, view.first_key)
            y = F.scaled_dot_product_attention(
                part,
                keys.read(layer, seen),  # (1, K, S, D)
                values.read(layer, seen),
                attn_mask=view.mask,
                is_causal=view.causal,
                enable_gqa=grouped,
            )
            heard.append(y)
        if self._idle:
            heard.append(queries.new_zeros(1, q.shape[1], self._idle, q.shape[2]))
        return torch.cat(heard, 2)[0].transpose(0, 1).flatten(1)


def _without(slots: slice | Tensor, first: int) -> slice | Tensor:
    """Return a text's places without the first so many."""
    if not first:
        return slots
    return slice(slots.start + first, slots.stop) if isinstance(slots, slice) else slots[first:]


def _view(stretch: Stretch, band: int | None, device: torch.device) -> Visibility:
    ids = torch.empty(1, stretch.count, device=device)
    return see(ids, cache=Past(stretch.start), segment_ids=None, band=band)


if __name__ == "__main__":
    memory = PagedCache(ModelConfig(hidden_size=64, num_layers=2, num_heads=2), 8, 16)
    print(memory.slots([2, 3, 4], 40), memory.slots([5, 1], 20).tolist())  # type: ignore[union-attr]
