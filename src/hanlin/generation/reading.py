"""One step of the decoder over stretches of many texts, as one pass or as exactly repeatable ones.

The plain way is one pass over all tokens of the step. A matrix product may then add its terms in
another order when it has other rows beside it, which moves a logit by some 1e-6 of its size.

The repeatable way leaves no such freedom. Each prompt is cut at the borders of blocks, whoever
else is there; passes have always `TILE` rows, idle ones among them; each text is looked at alone.
All that a number is made from, and the shape of every operation on its way, then follows from the
text itself. That a product of equal shape gives a row the same sums in every place is a property
of the kernels, which `tests/generation/test_reading.py` measures.

Shapes: N tokens of a pass, R texts whose next token is due, C channels, V vocab.

    python -m hanlin.generation.reading
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from hanlin.config import BatchingConfig
from hanlin.models import Decoder, PagedCache, PagedPass, Stretch

__all__ = ["TILE", "Portion", "Reader"]

TILE = 32
"""Rows of a pass of the repeatable way, or a block where that is more."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Tokens of one text that a step reads."""

    tokens: Sequence[int]
    table: Sequence[int]
    """The text's blocks."""
    start: int
    """Tokens of the text that were read before."""
    is_due: bool
    """Whether the text's next token is drawn after it."""

    @property
    def stretch(self) -> Stretch:
        """The portion as the decoder takes it."""
        return Stretch(self.table, self.start, len(self.tokens))


class Reader:
    """A decoder with a paged cache."""

    def __init__(self, model: Decoder, config: BatchingConfig, num_blocks: int) -> None:
        """Take memory for `num_blocks` blocks."""
        like = model.new_cache(1, 1).keys
        self.model = model
        self.cache = PagedCache(
            model.config,
            num_blocks,
            config.block_tokens,
            dtype=like.dtype,
            device=like.device,
            small=config.cache_bits == 8,
        )
        self.repeatable = config.deterministic

    @torch.inference_mode()
    def read(self, portions: Sequence[Portion]) -> Tensor:
        """Read all portions; return the logits (R, V) of those that are due, in order."""
        if not self.repeatable:
            return self._pass(portions, 0)
        width = max(TILE, self.cache.block_tokens)
        tiles = _tiles(portions, self.cache.block_tokens, width)
        return torch.cat([self._pass(tile, width) for tile in tiles])

    def _pass(self, portions: Sequence[Portion], width: int) -> Tensor:
        device = self.cache.device
        ids = [token for portion in portions for token in portion.tokens]
        ids += [0] * (width - len(ids))
        step = PagedPass(self.cache, [portion.stretch for portion in portions], width)
        hidden = self.model.hidden_paged(torch.tensor(ids, device=device), step)  # (N, C)
        rows, end = [], 0
        for portion in portions:
            end += len(portion.tokens)
            if portion.is_due:
                rows.append(end - 1)
        if not rows:
            return hidden.new_empty(0, self.model.config.vocab_size)
        chosen = rows + [0] * (width - len(rows))
        return self.model.head(hidden[torch.tensor(chosen, device=device)])[: len(rows)]


def _tiles(portions: Sequence[Portion], block: int, width: int) -> Iterator[list[Portion]]:
    """Cut portions at the borders of blocks and pack them, in order, into tiles of `width` rows."""
    tile: list[Portion] = []
    room = width
    for piece in (piece for portion in portions for piece in _cut(portion, block)):
        if len(piece.tokens) > room:
            yield tile
            tile, room = [], width
        tile.append(piece)
        room -= len(piece.tokens)
    yield tile


def _cut(portion: Portion, block: int) -> Iterator[Portion]:
    count, first = len(portion.tokens), block - portion.start % block
    borders = [0, *range(first, count, block), count]
    for start, end in pairwise(borders):
        yield Portion(
            portion.tokens[start:end],
            portion.table,
            portion.start + start,
            portion.is_due and end == count,
        )


if __name__ == "__main__":
    from hanlin.config import ModelConfig
    from hanlin.models import build_model, resolve_model

    tiny = build_model(resolve_model(ModelConfig(preset="1m", num_layers=2), 256), seed=1)
    reader = Reader(tiny, BatchingConfig(), num_blocks=8)
    due = [Portion([5, 6, 7], [2], 0, True), Portion([8], [4], 0, True)]
    print(reader.read(due).shape)
