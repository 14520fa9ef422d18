"""The keys and values of the tokens that a decoder has read, so that it reads each only once.

Memory is taken once for the whole length and written in place. Rows of a batch may begin with
padding; `padding` counts it, and the decoder keeps it out of sight.

Shapes: B batch, S length of the cache, K key and value heads, D head dim.

    python -m hanlin.models.cache
"""

from __future__ import annotations

import torch
from torch import Tensor

from hanlin.config import ModelConfig

__all__ = ["KVCache"]


class KVCache:
    """Keys and values of all layers, `length` tokens of them filled."""

    def __init__(
        self,
        config: ModelConfig,
        batch: int,
        length: int,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        padding: Tensor | None = None,
    ) -> None:
        """Take memory for `batch` rows of at most `length` tokens; `padding` is (B,) or None."""
        shape = (
            config.num_layers,
            batch,
            config.resolved_kv_heads,
            length,
            config.resolved_head_dim,
        )
        self.keys = torch.empty(shape, dtype=dtype, device=device)
        self.values = torch.empty(shape, dtype=dtype, device=device)
        self.padding = padding
        self.length = 0

    @property
    def capacity(self) -> int:
        """The most tokens that a row can hold."""
        return self.keys.shape[3]

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write (B, K, T, D) after the filled part of a layer; return all that is filled now."""
        end = self.length + keys.shape[2]
        self.keys[layer, :, :, self.length : end] = keys
        self.values[layer, :, :, self.length : end] = values
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def advance(self, count: int) -> None:
        """Count `count` more tokens as filled, once every layer has written them."""
        self.length += count

    def keep_rows(self, rows: Tensor) -> None:
        """Keep only the rows whose numbers are given, in that order."""
        self.keys = self.keys.index_select(1, rows)
        self.values = self.values.index_select(1, rows)
        if self.padding is not None:
            self.padding = self.padding.index_select(0, rows)


if __name__ == "__main__":
    cache = KVCache(ModelConfig(hidden_size=64, num_layers=2, num_heads=2), batch=1, length=16)
    print(f"{cache.capacity} tokens, {2 * cache.keys.nbytes:,} bytes")
