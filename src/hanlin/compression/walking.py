"""Walk calibration rows through a decoder block by block, with what each block was handed.

A method that changes blocks one after the other (GPTQ) needs the inputs of the next as the changed
blocks before it make them. `walk` yields a block with its inputs; what it gives out is only taken
once the caller has come back, and may have changed the block meanwhile.

Shapes: R rows, T time, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hanlin.models import Decoder

__all__ = ["Stop", "walk"]

_ROWS = 8
"""Rows that go through a block at once."""


@dataclass(frozen=True)
class Stop:
    """A block, and the streams that enter it."""

    layer: int
    block: nn.Module
    streams: list[Tensor]
    """(R, T, C) each, some rows at a time."""
    others: tuple[Any, ...]
    """Rotation, view and cache: the same for all rows."""

    def run(self) -> list[Tensor]:
        """Return the streams that leave the block as it is now."""
        return [self.block(stream, *self.others) for stream in self.streams]


@torch.no_grad()
def walk(model: Decoder, rows: Tensor) -> Iterator[Stop]:
    """Yield a stop for each block in order; `rows` (R, T) are token ids."""
    handed, entering = _first_inputs(model, rows)
    for layer, block in enumerate(model.blocks):
        stop = Stop(layer, block, entering, handed[layer])
        yield stop
        entering = stop.run()


def _first_inputs(model: Decoder, rows: Tensor) -> tuple[list[tuple[Any, ...]], list[Tensor]]:
    """Return what each block is handed besides its stream, and the first block's streams."""
    handed: list[tuple[Any, ...]] = []
    streams: list[Tensor] = []
    hooks = [
        block.register_forward_pre_hook(lambda _, inputs: handed.append(inputs[1:]))
        for block in model.blocks
    ]
    hooks.append(
        model.blocks[0].register_forward_pre_hook(lambda _, inputs: streams.append(inputs[0]))
    )
    device = next(model.parameters()).device
    try:
        for part in torch.split(rows.to(device), _ROWS):
            model.hidden(part)
    finally:
        for hook in hooks:
            hook.remove()
    return handed[: len(model.blocks)], streams
