"""The order in which a stage reads its text: its own, replayed parts and transformed text.

Own text has its sources by their natural sizes and weights. Replayed rows keep their share over all
steps, transformed ones theirs until augmentation stops; own text has the rest.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import partial

from hanlin.data import (
    Augmentation,
    Order,
    PhasedOrder,
    Rows,
    divide_shares,
    rows_of,
    transformed_rows,
)
from hanlin.stages.context import StageContext
from hanlin.text import iterate_documents
from hanlin.training import Batches, join_world

__all__ = ["plain_rows", "reading_order"]

_LEAST_ROWS = 64
_SPARE = 1.25
"""Transformed text is made for so many times the rows that will be read, as far as text reaches."""


def reading_order(context: StageContext, row_length: int) -> Batches:
    """Return the training data of a stage in their order, in rows of `row_length` tokens."""
    stage, training = context.stage, context.stage.learning
    if stage.augment or stage.replay:
        return _mixed(context, row_length)
    weights = {source.label: source.weight for source in context.recipe.corpus.sources}
    return Order.of(
        _rows(context, context.parts, row_length),
        weights=weights,
        rows_per_step=training.batch_tokens // row_length,
        seed=context.recipe.seed,
    )


def _mixed(context: StageContext, row_length: int) -> Order | PhasedOrder:
    """Return the rows of new, replayed and transformed text, each at its exact share."""
    stage, seed = context.stage, context.recipe.seed
    new = _rows(context, context.parts, row_length)
    old = _rows(context, stage.replay.parts, row_length) if stage.replay else {}
    natural = _natural_shares(context, new)
    replay = _scaled(_natural_shares(context, old), stage.replay.share) if stage.replay else {}
    rows_per_step = stage.learning.batch_tokens // row_length
    later = divide_shares(natural, {"replay": replay})
    if stage.augment is None:
        return Order.mixed({**new, **old}, shares=later, rows_per_step=rows_per_step, seed=seed)
    augment = {f"augment/{name}": share for name, share in stage.augment.shares.items()}
    return PhasedOrder.of(
        {**new, **old},
        _transformed(context, row_length, rows_per_step),
        shares=divide_shares(natural, {"replay": replay, "augment": augment}),
        later_shares=later,
        until=stage.augmented_steps,
        rows_per_step=rows_per_step,
        seed=seed,
    )


def plain_rows(context: StageContext, row_length: int) -> tuple[dict[str, Rows], dict[str, float]]:
    """Return the rows of the stage's own text, and each source's natural share, 1 in all."""
    rows = _rows(context, context.parts, row_length)
    return rows, _scaled(_natural_shares(context, rows), 1.0)


def _rows(context: StageContext, parts: Sequence[str], row_length: int) -> dict[str, Rows]:
    packing = context.stage.learning.packing
    own = context.streams if parts == context.parts else context.streams_of(parts)
    return {stream.source: rows_of(stream, row_length, packing) for stream in own}


def _natural_shares(context: StageContext, rows: Mapping[str, Rows]) -> dict[str, float]:
    weights = {source.label: source.weight for source in context.recipe.corpus.sources}
    return {name: source.num_rows * weights[name] for name, source in rows.items()}


def _scaled(shares: Mapping[str, float], total: float) -> dict[str, float]:
    return {name: share * total / sum(shares.values()) for name, share in shares.items()}


def _transformed(context: StageContext, row_length: int, rows_per_step: int) -> dict[str, Rows]:
    """Return the rows of each transformation, whose shards the first process writes."""
    augment = context.stage.augment
    assert augment is not None
    available = sum(stream.num_tokens for stream in context.streams)
    weights = {s.label: s.weight for s in context.recipe.corpus.sources if s.part in context.parts}
    rows: dict[str, Rows] = {}
    for name, share in augment.shares.items():
        wanted = _SPARE * share * rows_per_step * context.stage.augmented_steps
        keep = min(1.0, max(_LEAST_ROWS, wanted) * row_length / max(1, available))
        made = Augmentation(name, context.recipe.seed, row_length, keep, weights)
        with join_world() as world:
            world.on_first(partial(_write, context, made))
        rows[f"augment/{name}"] = _make(context, made)
    return rows


def _write(context: StageContext, augmentation: Augmentation) -> None:
    """Write the shards; what is returned would go to all processes, so nothing is."""
    _make(context, augmentation)


def _make(context: StageContext, augmentation: Augmentation) -> Rows:
    documents = itertools.chain.from_iterable(
        iterate_documents(context.corpus, part, "train") for part in context.parts
    )
    return transformed_rows(
        augmentation,
        documents,
        context.tokenizer,
        context.folder / "augmented" / augmentation.name,
        content=context.fingerprints["corpus"],
    )
