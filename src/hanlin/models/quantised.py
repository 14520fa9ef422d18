"""A decoder whose matrices stay packed in 8 or 4 bits while it computes.

The plain way turns a packed matrix into numbers and multiplies. It is exact to the packed weights
in every type and on every device, and it is what runs in float32. torch's own kernels for packed
weights (`_weight_int8pack_mm`, `_weight_int4pack_mm_for_cpu`) multiply without that step. On a CPU
they are only faster with bfloat16 inputs: in float32 they are scalar loops, many times slower than
the plain way. So they run for a model that was loaded in bfloat16, where their shapes allow: the
8-bit kernel reads past the end of rows that are not a multiple of 16 long.

Norms and biases stay numbers. Nothing here can be trained.

Shapes: B batch, T time, C channels, N rows (outputs), K columns (inputs), G groups, V vocab.

    python -m hanlin.models.quantised
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hanlin.config import ModelConfig, QuantisationConfig
from hanlin.models.cache import KVCache
from hanlin.models.decoder import Decoder
from hanlin.models.packing import Packed, dequantise_rows, packed_shapes, unpack_nibbles

__all__ = ["QuantisedDecoder", "QuantisedLinear", "QuantisedTable", "is_table"]

_INT8_MULTIPLE = 32
_INT4_ROWS = 16


class _PackedMatrix(nn.Module):
    """A matrix (N, K) as codes, scales and zeros."""

    codes: Tensor
    scales: Tensor
    zeros: Tensor | None

    def __init__(self, rows: int, columns: int, *, bits: int, group: int) -> None:
        super().__init__()
        self.rows, self.columns, self.bits, self.group = rows, columns, bits, group
        shapes = packed_shapes(rows, columns, bits, group)
        kind = torch.int8 if bits == 8 else torch.uint8
        self.register_buffer("codes", torch.zeros(shapes["codes"], dtype=kind))
        self.register_buffer("scales", torch.zeros(shapes["scales"]))
        zeros = torch.zeros(shapes["zeros"]) if bits == 4 else None
        self.register_buffer("zeros", zeros)
        self._kernel: tuple[Tensor, Tensor] | None = None

    @property
    def weight(self) -> Tensor:
        """The matrix (N, K) as numbers, made anew at every call."""
        return dequantise_rows(self.codes, self.scales, self.zeros, self.columns, self.group)

    def fill(self, packed: Packed) -> None:
        """Take over a packed matrix of this shape."""
        self.codes, self.zeros = packed.codes, packed.zeros
        self.scales = packed.scales
        self._kernel = None

    def product(self, x: Tensor) -> Tensor:
        """Return x W^T (..., N) for x (..., K)."""
        if self._has_kernel(x):
            return self._fast_product(x.reshape(-1, self.columns)).view(*x.shape[:-1], self.rows)
        return F.linear(x, self.weight.to(x.dtype))

    def _has_kernel(self, x: Tensor) -> bool:
        if not (x.is_cpu and x.dtype == self.scales.dtype == torch.bfloat16) or x.numel() == 0:
            return False
        if self.bits == 8:
            return self.columns % _INT8_MULTIPLE == 0
        return self.columns % self.group == 0 and self.rows % _INT4_ROWS == 0

    def _fast_product(self, x: Tensor) -> Tensor:
        if self.bits == 8:
            return torch._weight_int8pack_mm(x, self.codes, self.scales[:, 0])
        codes, scales = self._kernel or self._lay_out()
        return torch._weight_int4pack_mm_for_cpu(x, codes, self.group, scales)

    def _lay_out(self) -> tuple[Tensor, Tensor]:
        """Return 4-bit codes as this machine's kernel wants them: w = s (c - 8) + b."""
        assert self.zeros is not None, "4-bit codes have zeros"
        plain = unpack_nibbles(self.codes, self.columns).int()
        shift = (8 - self.zeros) * self.scales  # (N, G)
        scales = torch.stack((self.scales.T, shift.T), -1).contiguous()  # (G, N, 2)
        self._kernel = torch._convert_weight_to_int4pack_for_cpu(plain, 1), scales
        return self._kernel

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        self._kernel = None  # of another type or device
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]


class QuantisedLinear(_PackedMatrix):
    """y = x W^T + b with a packed W."""

    def __init__(self, rows: int, columns: int, *, bits: int, group: int, bias: bool) -> None:
        """Lay out the matrix; `fill` or `load_state_dict` sets it."""
        super().__init__(rows, columns, bits=bits, group=group)
        self.bias = nn.Parameter(torch.zeros(rows)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., N) for x (..., K)."""
        y = self.product(x)
        return y if self.bias is None else y + self.bias


class QuantisedTable(_PackedMatrix):
    """An embedding with packed rows; `product` is the head that is tied to it."""

    def forward(self, index: Tensor | slice) -> Tensor:
        """Return the rows (..., K) that an index names."""
        zeros = None if self.zeros is None else self.zeros[index]
        return dequantise_rows(
            self.codes[index], self.scales[index], zeros, self.columns, self.group
        )


class QuantisedDecoder(Decoder):
    """A decoder of packed matrices, for all that reads, scores and writes; it does not learn."""

    def __init__(self, config: ModelConfig, quantisation: QuantisationConfig) -> None:
        """Lay out the model; the matrices are not set."""
        super().__init__(config)
        self.quantisation = quantisation
        for name, module in list(self.named_modules()):
            if isinstance(module, nn.Linear | nn.Embedding):
                self.set_submodule(name, _packed_like(name, module, quantisation))

    def head(self, hidden: Tensor) -> Tensor:
        """Return the logits (..., V) of normed hidden states (..., C)."""
        layer = self.embedding if self.unembedding is None else self.unembedding
        return cast("_PackedMatrix", layer).product(hidden)

    def new_cache(self, batch: int, length: int, *, padding: Tensor | None = None) -> KVCache:
        """Return an empty cache for `batch` rows of `length` tokens; `padding` is (B,) or None."""
        like = cast("_PackedMatrix", self.embedding).scales
        return KVCache(
            self.config, batch, length, dtype=like.dtype, device=like.device, padding=padding
        )

    def _position_rows(self, places: slice | Tensor) -> Tensor:
        return cast("Tensor", cast("nn.Module", self.positions)(places))


def is_table(name: str) -> bool:
    """Whether a matrix of a decoder is a table of tokens or positions.

    >>> is_table("unembedding"), is_table("blocks.0.mlp.down")
    (True, False)
    """
    return name in ("embedding", "positions", "unembedding")


def _packed_like(
    name: str, module: nn.Linear | nn.Embedding, config: QuantisationConfig
) -> nn.Module:
    rows, columns = module.weight.shape
    bits = config.table_bits if is_table(name) else config.bits
    if isinstance(module, nn.Embedding):
        return QuantisedTable(rows, columns, bits=bits, group=config.group)
    bias = module.bias is not None
    return QuantisedLinear(rows, columns, bits=bits, group=config.group, bias=bias)


if __name__ == "__main__":
    shape = ModelConfig(vocab_size=512, hidden_size=64, num_heads=2, num_layers=2)
    print(QuantisedDecoder(shape, QuantisationConfig(bits=4, group=32)))
