"""The teachers' likeliest tokens for every row that a distil stage will be taught on, on disk.

All rows are judged before the student learns, so that teachers and student are never in memory
together, and a stage that is stopped anywhere reads the very values again that it began with. The
folder is named by what its records follow from: teachers, tokenizer, K, temperature, row length and
precision. Inside, a record belongs to the tokens of its row, whatever order, seed, part or run it
is read in; so trials of a proof, and runs that name one `distil.cache_folder`, find each other's
rows. Several processes share the work.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hanlin.config import DistilConfig
from hanlin.data import RowStore, hash_rows
from hanlin.errors import RunError
from hanlin.models import Decoder
from hanlin.objectives import CachedTargets
from hanlin.objectives.cached_targets import judge_rows, pack, target_record
from hanlin.records import sha256_json
from hanlin.stages.context import StageContext
from hanlin.training import Batches, Placement, World, choose_placement, join_world

__all__ = ["cache_targets", "target_record", "taught_steps"]

_BLOCK_BYTES = 64 * 2**20
"""What a block of records takes: so much is lost where the work is stopped."""
_PASS_TOKENS = 4096
"""Tokens that go through a teacher at once. A pass is always full, so that what a teacher says of a
row does not hang on how many others were left to judge."""

Rows = NDArray[np.int32]


def taught_steps(config: DistilConfig, num_steps: int) -> int:
    """Return how many steps teachers have a share in; they are the first ones."""
    return sum(config.share_at(step / num_steps) > 0 for step in range(num_steps))


def cache_targets(
    context: StageContext,
    config: DistilConfig,
    batches: Batches,
    load: Callable[[], Sequence[Decoder]],
    *,
    length: int,
    vocab_size: int,
) -> CachedTargets:
    """Return the soft targets of all taught rows, judged now as far as they are not on disk.

    Args:
        context: the stage.
        config: its table.
        batches: the rows in order.
        load: called for the teachers where there is anything to judge.
        length: tokens of a row.
        vocab_size: the teachers' and the student's.

    Raises:
        RunError: the disk has no room.
    """
    record = target_record(length, config.cache_top_k, vocab_size)
    with join_world() as world:
        placement = choose_placement(
            context.device, context.training.precision, local_rank=world.local_rank
        )
        follows_from = _follows_from(context, config, placement, length)
        folder = _place(context, config) / sha256_json(follows_from)[:16]
        world.on_first(lambda: RowStore.prepare(folder, follows_from, record, context.say))
        store = RowStore.open(folder, record)
        steps = taught_steps(config, context.training.num_steps)
        missing = _missing(store, batches, steps)
        world.sum_numbers([0.0])  # nobody writes before all have seen the same
        if len(missing):
            _make_room(folder, len(missing) * record.itemsize)
            say = context.say if world.first else _silent
            _judge(missing, store, load(), config, placement, world, say)
            world.sum_numbers([0.0])  # returns when all processes have written theirs
        elif world.first:
            context.say(f"The teachers' targets of all rows are in {folder}")
    return CachedTargets(RowStore.open(folder, record))


def _follows_from(
    context: StageContext, config: DistilConfig, placement: Placement, length: int
) -> dict[str, Any]:
    """Return what records follow from besides the tokens of their rows, as JSON values."""
    return {
        "teachers": list(context.fingerprints["teachers"]),
        "tokenizer": context.tokenizer.fingerprint,
        "top_k": config.cache_top_k,
        "temperature": config.temperature,
        "length": length,
        "precision": str(placement.dtype).removeprefix("torch."),
    }


def _place(context: StageContext, config: DistilConfig) -> Path:
    """Return where caches lie: beside the corpus, which the trials of a proof share."""
    if config.cache_folder:
        return Path(config.cache_folder)
    return context.corpus.parent / "teacher-cache"


def _missing(store: RowStore, batches: Batches, steps: int) -> Rows:
    """Return the taught rows without a record, each once, in the order in which they are read."""
    found: list[Rows] = []
    seen: set[int] = set()
    for step in range(steps):
        rows = batches.batch(step, 0, 1)
        keys = hash_rows(rows)
        for row, key, there in zip(rows, keys.tolist(), store.has(keys).tolist(), strict=True):
            if not there and key not in seen:
                seen.add(key)
                found.append(row)
    return np.stack(found) if found else np.empty((0, 0), np.int32)


def _judge(
    rows: Rows,
    store: RowStore,
    teachers: Sequence[Decoder],
    config: DistilConfig,
    placement: Placement,
    world: World,
    say: Callable[[str], None],
) -> None:
    """Write the records of this process's share of `rows`, block by block."""
    mine = rows[world.rank :: world.size]
    size = max(1, _BLOCK_BYTES // store.dtype.itemsize)
    say(f"The teachers read {len(rows):,} rows; what they say is kept in {store.folder}")
    ready = [t.eval().requires_grad_(False).to(placement.device, placement.dtype) for t in teachers]
    for start in range(0, len(mine), size):
        block = mine[start : start + size]
        parts = [_records(ready, part, config, placement, store) for part in _passes(block)]
        store.add(hash_rows(block), np.concatenate(parts)[: len(block)])
        say(f"  {min(len(mine), start + size):,} of {len(mine):,} rows")


def _passes(block: Rows) -> Iterator[Rows]:
    """Yield rows as they go through the teachers: always as many, the last ones repeated."""
    size = max(1, _PASS_TOKENS // (block.shape[1] - 1))
    for start in range(0, len(block), size):
        part = block[start : start + size]
        yield part[np.arange(size) % len(part)]


def _records(
    teachers: Sequence[Decoder],
    rows: Rows,
    config: DistilConfig,
    placement: Placement,
    store: RowStore,
) -> NDArray[np.void]:
    batch = torch.from_numpy(np.ascontiguousarray(rows)).to(placement.device)
    targets = judge_rows(teachers, batch, k=config.cache_top_k, temperature=config.temperature)
    return pack(targets, store.dtype)


def _make_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise RunError(
            f"The teachers' targets take {needed / 1e9:.1f} GB in {folder}, and {free / 1e9:.1f} "
            "are free. Lower distil.cache_top_k, name a larger disk in distil.cache_folder, or "
            "leave distil.cache_top_k out."
        )


def _silent(line: str) -> None:
    """Say nothing: the first process speaks for all."""
