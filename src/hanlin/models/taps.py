"""What a decoder computes on the way: residual streams, queries, keys and values, heads' outputs.

A plain pass keeps none of it and is not slowed. A tapped pass is the same pass with hooks on the
modules that make what is asked for, and with something added to the embedding where that is wanted.
It never goes through torch.compile, which does not see hooks that come later.

    streams = Tap(streams=frozenset({0, 3}))
    hidden = tapped_hidden(model, ids, streams)     # as model.hidden(ids)
    streams.found["streams"][3]                     # (B, T, C), after block 3

Shapes: B batch, T time, C channels, H heads, K key and value heads, D head dim.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from hanlin.models.decoder import Decoder

__all__ = ["Tap", "tapped_hidden"]


@dataclass(frozen=True)
class Tap:
    """Which layers are listened to, and what was heard, by layer."""

    streams: frozenset[int] = frozenset()
    """Layers whose residual stream (B, T, C) is wanted."""
    relations: frozenset[int] = frozenset()
    """Layers whose queries, keys and values (B, T, (H + 2 K) D) are wanted, before their norms."""
    heads: frozenset[int] = frozenset()
    """Layers whose heads' outputs (B, T, H D) are wanted."""
    found: dict[str, dict[int, Tensor]] = field(
        default_factory=lambda: {"streams": {}, "relations": {}, "heads": {}}
    )
    """What was heard, by kind and layer."""

    @property
    def idle(self) -> bool:
        """Whether nothing is wanted."""
        return not (self.streams or self.relations or self.heads)


def tapped_hidden(model: Decoder, ids: Tensor, tap: Tap, *, added: Tensor | None = None) -> Tensor:
    """Return `model.hidden(ids)`, with `added` (B, T, C) to the embedding; `tap` is filled."""
    if tap.idle and added is None:
        return model.hidden(ids)
    with _hooked(_hooks(model, tap, added)):
        return Decoder.hidden(model, ids)  # of the class: see above


def _hooks(model: Decoder, tap: Tap, added: Tensor | None) -> Iterator[Any]:
    if added is not None:
        yield model.embedding.register_forward_hook(lambda module, inputs, out: out + added)
    for layer, block in enumerate(model.blocks):
        if layer in tap.streams:
            yield _listen(block, tap.found["streams"], layer)
        attention = block.get_submodule("attention")
        if layer in tap.relations:
            yield _listen(attention.get_submodule("qkv"), tap.found["relations"], layer)
        if layer in tap.heads:
            keep = _keeper(tap.found["heads"], layer)
            yield attention.get_submodule("output").register_forward_pre_hook(
                lambda module, inputs, keep=keep: keep(inputs[0])
            )


def _listen(module: nn.Module, found: dict[int, Tensor], layer: int) -> Any:
    keep = _keeper(found, layer)
    return module.register_forward_hook(lambda module, inputs, out: keep(out))


def _keeper(found: dict[int, Tensor], layer: int) -> Callable[[Tensor], None]:
    def keep(tensor: Tensor) -> None:
        found[layer] = tensor

    return keep


@contextlib.contextmanager
def _hooked(handles: Iterable[Any]) -> Iterator[None]:
    placed = list(handles)
    try:
        yield
    finally:
        for handle in placed:
            handle.remove()
