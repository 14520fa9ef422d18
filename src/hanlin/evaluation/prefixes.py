"""A beginning that many documents share is read once: examples before every question of a suite.

Its keys and values are kept and stand before each batch of what differs, so that a suite with five
examples costs little more than one without.

    python -m hanlin.evaluation.prefixes
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from hanlin.models import Decoder, KVCache

__all__ = ["read_prefix", "repeat_prefix", "shared_prefix"]

_LEAST = 32
"""A shorter beginning is not worth the copies."""


def shared_prefix(
    documents: Sequence[NDArray[np.integer]], starts: Sequence[int], context: int
) -> int:
    """Return how many tokens all documents begin with that none is asked about, or 0.

    Documents that are longer than the context are read in windows, which share nothing.
    """
    if len(documents) < 2 or max(map(len, documents)) > context:
        return 0
    length = min(starts)
    first = documents[0]
    for document in documents[1:]:
        different = np.flatnonzero(first[:length] != document[:length])
        length = int(different[0]) if different.size else length
    return length if length >= _LEAST else 0


def read_prefix(model: Decoder, prefix: NDArray[np.integer], eot_id: int) -> KVCache:
    """Return the cache after <|endoftext|> and all of a prefix but its last token.

    The last token is the first that a row reads, since it predicts the first that differs.
    """
    device = model.embedding.weight.device
    ids = torch.from_numpy(np.concatenate([[eot_id], prefix[:-1]]).astype(np.int64))
    cache = model.new_cache(1, len(ids))
    model.hidden(ids[None].to(device), cache=cache)
    return cache


def repeat_prefix(model: Decoder, prefix: KVCache, rows: int, length: int) -> KVCache:
    """Return a cache of some rows that all hold the prefix, with room for `length` tokens more."""
    cache = model.new_cache(rows, prefix.length + length)
    cache.keys[:, :, :, : prefix.length] = prefix.keys
    cache.values[:, :, :, : prefix.length] = prefix.values
    cache.advance(prefix.length)
    return cache


if __name__ == "__main__":
    both = [np.arange(50), np.concatenate([np.arange(40), np.arange(5)])]
    print(shared_prefix(both, [45, 41], 64))
