"""What the native core rounds, done to the plain decoder, so that the two can be compared."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from hanlin.models.pages import SmallPages

__all__ = ["keep_rounded"]

_LARGEST_HALF = 65504.0


def keep_rounded(monkeypatch: pytest.MonkeyPatch, cache_bits: int) -> None:
    """Let the decoder hear keys and values as a cache of so many bits keeps them."""
    plain = F.scaled_dot_product_attention

    def heard(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
        return plain(q, _kept(k, cache_bits), _kept(v, cache_bits), **options)

    monkeypatch.setattr(F, "scaled_dot_product_attention", heard)


def _kept(x: Tensor, cache_bits: int) -> Tensor:
    """Return x (B, K, S, D) rounded and turned back."""
    if cache_bits == 32:
        return x
    if cache_bits == 16:
        return x.clamp(-_LARGEST_HALF, _LARGEST_HALF).half().float()
    (rows,) = x.transpose(1, 2)  # (S, K, D) of one text
    pages = SmallPages((1, *rows.shape), torch.float32, "cpu")
    pages.write(0, torch.arange(len(rows)), rows)
    return pages.read(0, slice(0, len(rows)))
