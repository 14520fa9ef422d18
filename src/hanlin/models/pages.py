"""Where a paged cache keeps keys or values: as the model computes them, or in 8 bits.

In 8 bits each token has a scale for each head, s = max|x| / 127, and x is kept as round(x / s).
Beside fp32 that is a little over a quarter of the memory, beside bf16 a little over a half. What is
read is turned back into numbers first, so that on a CPU it costs time where it saves memory.

Shapes: L layers, P tokens of the memory, n tokens written, S tokens read, K heads, D head dim.

    python -m hanlin.models.pages
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Pages", "SmallPages"]


class Pages:
    """Keys or values of all layers, as numbers."""

    def __init__(
        self, shape: tuple[int, int, int, int], dtype: torch.dtype, device: torch.device | str
    ) -> None:
        """Take memory for (L, P, K, D)."""
        self._numbers = torch.empty(shape, dtype=dtype, device=device)
        self._heads = torch.split(self._numbers.transpose(1, 2), 1)  # (1, K, P, D) of each layer

    @property
    def nbytes(self) -> int:
        """Memory that is taken."""
        return self._numbers.nbytes

    def write(self, layer: int, places: Tensor, x: Tensor) -> None:
        """Keep x (n, K, D) at `places` (n,) of a layer."""
        self._numbers[layer].index_copy_(0, places, x)

    def read(self, layer: int, places: slice | Tensor) -> Tensor:
        """Return what lies at `places` of a layer, heads first: (1, K, S, D)."""
        if isinstance(places, slice):  # a view: the whole cost of a text that lies in a row
            return self._heads[layer].narrow(2, places.start, places.stop - places.start)
        return _gathered(self._numbers[layer], places)


class SmallPages(Pages):
    """Keys or values of all layers, in 8 bits."""

    def __init__(
        self, shape: tuple[int, int, int, int], dtype: torch.dtype, device: torch.device | str
    ) -> None:
        """Take memory for (L, P, K, D) and the scales (L, P, K, 1); `dtype` is what is read."""
        super().__init__(shape, torch.int8, device)
        self._scales = torch.empty((*shape[:3], 1), dtype=dtype, device=device)

    @property
    def nbytes(self) -> int:
        """Memory that is taken."""
        return self._numbers.nbytes + self._scales.nbytes

    def write(self, layer: int, places: Tensor, x: Tensor) -> None:
        """Keep x (n, K, D) at `places` (n,) of a layer, rounded."""
        scales = (x.abs().amax(-1, keepdim=True) / 127).clamp_(min=torch.finfo(x.dtype).tiny)
        super().write(layer, places, (x / scales).round_().clamp_(-127, 127).to(torch.int8))
        self._scales[layer].index_copy_(0, places, scales)

    def read(self, layer: int, places: slice | Tensor) -> Tensor:
        """Return what lies at `places` of a layer, as numbers: (1, K, S, D)."""
        memory = self._scales[layer]
        if isinstance(places, slice):
            scales = memory[places].transpose(0, 1)[None]
        else:
            scales = _gathered(memory, places)
        return super().read(layer, places).to(scales.dtype).mul_(scales)


def _gathered(memory: Tensor, places: Tensor) -> Tensor:
    """Return a copy of scattered places of (P, K, .), heads first: (1, K, S, .)."""
    return memory.index_select(0, places).transpose(0, 1)[None]


if __name__ == "__main__":
    keys = torch.randn(4, 2, 8, generator=torch.Generator().manual_seed(1))
    for kind in (Pages, SmallPages):
        pages = kind((1, 16, 2, 8), torch.float32, "cpu")
        pages.write(0, torch.arange(4), keys)
        error = (pages.read(0, slice(0, 4))[0].transpose(0, 1) - keys).abs().max().item()
        print(f"{kind.__name__:10} {pages.nbytes:,} bytes, largest error {error:.4f}")
