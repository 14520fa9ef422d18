"""The order of training data, as a pure function of (seed, position).

Position p, counted in rows over the whole of training, names a source by the mixture, a row of that
source by a keyed permutation that changes with the epoch, and so its tokens. Nothing is remembered
between calls: to resume is to ask for the next step, on any number of processes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanlin.data.packing import Rows
from hanlin.data.permutation import hash_integers, permute, permute_one
from hanlin.errors import DataError

__all__ = ["Mixture", "Order"]

_CYCLE = 1024


@dataclass(frozen=True)
class Mixture:
    """Which source each row comes from: every cycle of 1,024 rows holds each source's exact share.

    Within a cycle the sources are shuffled by the seed, so that shares hold over any short stretch.
    """

    counts: tuple[int, ...]
    seed: int

    @classmethod
    def of(cls, shares: Sequence[float], seed: int) -> Mixture:
        """Round shares to whole rows of a cycle by largest remainder; each gets at least one."""
        total = sum(shares)
        exact = np.array([share / total * _CYCLE for share in shares])
        counts = np.maximum(1, np.floor(exact)).astype(int)
        for place in np.argsort(counts - exact, kind="stable")[: max(0, _CYCLE - counts.sum())]:
            counts[place] += 1
        return cls(tuple(counts.tolist()), seed)

    def locate(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return each position's source, and its number among that source's rows."""
        length = sum(self.counts)
        sources, numbers = np.empty_like(positions), np.empty_like(positions)
        for cycle in np.unique(positions // length):
            here = positions // length == cycle
            slots = positions[here] % length
            order = self._cycle(int(cycle))
            ranks = _ranks(order)
            sources[here] = order[slots]
            numbers[here] = cycle * np.array(self.counts)[order[slots]] + ranks[slots]
        return sources, numbers

    def before(self, position: int) -> tuple[int, ...]:
        """Return how many rows of each source stand before a position."""
        cycle, slots = divmod(position, sum(self.counts))
        begun = np.bincount(self._cycle(cycle)[:slots], minlength=len(self.counts))
        return tuple((cycle * np.array(self.counts) + begun).tolist())

    def _cycle(self, cycle: int) -> NDArray[np.int64]:
        """Return the source of each row of a cycle."""
        length = sum(self.counts)
        slots = permute(np.arange(length), length, hash_integers(self.seed, cycle))
        return np.repeat(np.arange(len(self.counts)), self.counts)[slots]


def _ranks(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many equal values stand before each."""
    ranks = np.empty_like(values)
    for value in np.unique(values):
        here = values == value
        ranks[here] = np.arange(here.sum())
    return ranks


@dataclass(frozen=True)
class Order:
    """Batches of rows in training order."""

    rows: tuple[Rows, ...]
    mixture: Mixture
    rows_per_step: int
    seed: int
    starts: tuple[int, ...] = ()
    """Rows of each source that were read before; none unless given."""

    @classmethod
    def of(
        cls,
        rows: Mapping[str, Rows],
        *,
        weights: Mapping[str, float],
        rows_per_step: int,
        seed: int,
    ) -> Order:
        """Mix sources by rows x weight; a weight of 1 is a source's natural share."""
        shares = {n: source.num_rows * weights.get(n, 1.0) for n, source in rows.items()}
        return cls.mixed(rows, shares=shares, rows_per_step=rows_per_step, seed=seed)

    @classmethod
    def mixed(
        cls,
        rows: Mapping[str, Rows],
        *,
        shares: Mapping[str, float],
        rows_per_step: int,
        seed: int,
        starts: Sequence[int] = (),
    ) -> Order:
        """Mix sources by given shares, whatever their sizes; `starts` go on from another order."""
        if not rows:
            raise DataError("There is no source to train on. Check the stage's `parts`.")
        if not rows_per_step:
            raise DataError(
                "A step has no whole row: training.batch_tokens is less than the context_length. "
                "Raise the one or lower the other."
            )
        mixture = Mixture.of([shares[name] for name in rows], seed)
        return cls(tuple(rows.values()), mixture, rows_per_step, seed, tuple(starts))

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> NDArray[np.int32]:
        """Return the rows (R, T + 1) of one process at a step; all processes' make the batch."""
        if self.rows_per_step % world_size:
            raise DataError(
                f"{self.rows_per_step} rows a step cannot be shared by {world_size} processes. "
                "Change training.batch_tokens or the number of processes."
            )
        share = self.rows_per_step // world_size
        first = step * self.rows_per_step + rank * share
        return self._rows(np.arange(first, first + share, dtype=np.int64))

    def _rows(self, positions: NDArray[np.int64]) -> NDArray[np.int32]:
        sources, numbers = self.mixture.locate(positions)
        return np.stack([self._row(int(s), int(n)) for s, n in zip(sources, numbers, strict=True)])

    def _row(self, source: int, number: int) -> NDArray[np.int32]:
        rows = self.rows[source]
        if self.starts:
            number += self.starts[source]
        epoch, place = divmod(number, rows.num_rows)
        key = hash_integers(self.seed, source, epoch)
        return rows.row(permute_one(place, rows.num_rows, key), key)
