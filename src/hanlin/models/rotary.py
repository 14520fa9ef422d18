"""Tables of cosines and sines for rotary positions (Su et al. 2021, arXiv 2104.09864).

Position p turns pair i of a head by the angle p / theta^(2i / D). The pairs are the two halves of
the head, as in transformers' Llama and Qwen models. The angles are computed in fp32 (bf16 cannot
tell positions above 256 apart) and the tables are cast when they are used.

    python -m hanlin.models.rotary
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["RotaryTable"]


class RotaryTable:
    """Cosines and sines of all positions, made at first use on each device and in each dtype.

    The tables are no buffers of the model, because `model.to(torch.bfloat16)` would round them.
    """

    def __init__(self, length: int, head_dim: int, theta: float) -> None:
        """Describe tables for `length` positions of heads that are `head_dim` wide."""
        self.length, self.head_dim, self.theta = length, head_dim, theta
        self._tables: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor]] = {}

    def at(self, positions: slice | Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return cos and sin, each (..., T, 1, D/2), in the dtype and on the device of `like`."""
        key = (like.device, like.dtype)
        if key not in self._tables:
            self._tables[key] = self._make(*key)
        cos, sin = self._tables[key]
        return cos[positions], sin[positions]

    def _make(self, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        # A table born in inference mode could never be saved for a backward pass.
        with torch.inference_mode(False), torch.no_grad():
            exponents = torch.arange(0, self.head_dim, 2, dtype=torch.float32) / self.head_dim
            places = torch.arange(self.length, dtype=torch.float32)
            angles = torch.outer(places, 1.0 / self.theta**exponents)[:, None, :]  # (T, 1, D/2)
            return angles.cos().to(device, dtype), angles.sin().to(device, dtype)


if __name__ == "__main__":
    cosines, _ = RotaryTable(4, 4, 10_000.0).at(slice(0, 4), torch.empty(0))
    print(cosines.squeeze(1))
