"""What each query of a forward pass may see: the past, within a band, a document and no padding.

Dense attention over fresh tokens needs no mask (the fused kernel's own causal rule is faster), nor
does a single new token that sees all of the cache. Everything else is one boolean mask, made once a
pass and shared by all layers of a kind. Banded layers (Child et al. 2019, arXiv 1904.10509, as
GPT-3 alternates them) see the last `band` tokens, themselves included.

Shapes: B batch, T queries, S keys.

    python -m hanlin.models.visibility
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hanlin.models.cache import KVCache

__all__ = ["Past", "Visibility", "see"]


@dataclass(frozen=True, slots=True)
class Past:
    """What a query pass needs to know of tokens read before, where no `KVCache` holds them."""

    length: int
    """Tokens read before."""
    padding: Tensor | None = None
    """Tokens of each row that are padding, (B,); None where there is none."""


@dataclass(frozen=True, slots=True)
class Visibility:
    """The rule that one kind of layer hands to the attention kernel."""

    mask: Tensor | None
    """True where a query sees a key, (B or 1, 1, T, S); None where no mask is needed."""
    causal: bool
    """Whether the kernel's own causal rule holds in place of a mask."""
    first_key: int
    """Keys of the cache before this one are out of every query's sight."""


def see(
    ids: Tensor, *, cache: KVCache | Past | None, segment_ids: Tensor | None, band: int | None
) -> Visibility:
    """Return what the queries `ids` (B, T) see; `band` is None for a dense layer."""
    num_queries = ids.shape[1]
    start = cache.length if cache is not None else 0
    end = start + num_queries
    padding = cache.padding if cache is not None else None
    first_key = max(0, start - band + 1) if band is not None else 0
    in_band = band is None or band >= end - first_key
    if segment_ids is None and padding is None and in_band and (start == 0 or num_queries == 1):
        return Visibility(None, causal=num_queries > 1, first_key=first_key)
    queries = torch.arange(start, end, device=ids.device)[:, None]
    keys = torch.arange(first_key, end, device=ids.device)
    mask = keys <= queries  # (T, S)
    if band is not None:
        mask = mask & (keys > queries - band)
    if segment_ids is not None:
        mask = mask & (segment_ids[:, :, None] == segment_ids[:, None, :])  # (B, T, S)
    if padding is not None:
        # Padding sees itself, since a row of the softmax without any key is not a number.
        mask = (mask & (keys >= padding[:, None, None])) | (keys == queries)  # (B, T, S)
    return Visibility(mask[:, None] if mask.ndim == 3 else mask[None, None], False, first_key)


if __name__ == "__main__":
    banded = see(torch.zeros(1, 6, dtype=torch.long), cache=None, segment_ids=None, band=3)
    print(banded.mask if banded.mask is None else banded.mask[0, 0].int())
