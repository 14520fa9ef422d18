"""An order in two phases is a pure function of seed and step, and reads no row twice too early."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hanlin.data import Mixture, PhasedOrder, divide_shares

SIZES = {"new": 3000, "old": 900, "infill": 400, "reverse": 200}
FIXED = {"old": {"old": 0.25}, "augment": {"infill": 0.1, "reverse": 0.05}}


@dataclass(frozen=True)
class NumberedRows:
    """Rows that carry their source and number."""

    source: int
    num_rows: int

    def row(self, number: int, epoch_key: int) -> NDArray[np.int32]:
        return np.array([self.source, number], dtype=np.int32)


def _order(until: int = 40, rows_per_step: int = 64) -> PhasedOrder:
    rows = {name: NumberedRows(i, size) for i, (name, size) in enumerate(SIZES.items())}
    later = {"old": FIXED["old"]}
    return PhasedOrder.of(
        {name: rows[name] for name in ("new", "old")},
        {name: rows[name] for name in ("infill", "reverse")},
        shares=divide_shares({"new": 1.0}, FIXED),
        later_shares=divide_shares({"new": 1.0}, later),
        until=until,
        rows_per_step=rows_per_step,
        seed=4,
    )


def _sources(order: PhasedOrder, steps: range) -> NDArray[np.int32]:
    return np.concatenate([order.batch(step)[:, 0] for step in steps])


def test_each_phase_keeps_its_exact_shares() -> None:
    order = _order(until=64)
    first, then = _sources(order, range(64)), _sources(order, range(64, 128))
    for phase, shares in ((first, [0.6, 0.25, 0.1, 0.05]), (then, [0.75, 0.25, 0, 0])):
        found = np.bincount(phase, minlength=4) / len(phase)
        assert found == pytest.approx(shares, abs=0.001)


def test_any_short_stretch_is_near_the_shares() -> None:
    replayed = [(_order().batch(step)[:, 0] == 1).sum() for step in range(40)]
    assert np.mean(replayed) == pytest.approx(16, abs=1)
    assert min(replayed) >= 4


def test_the_second_phase_goes_on_where_the_first_stopped_reading() -> None:
    order = _order(until=41)
    rows = np.concatenate([order.batch(step) for step in range(80)])
    for source in (0, 1):
        mine = rows[rows[:, 0] == source, 1][: [3000, 900][source]]
        assert len(np.unique(mine)) == len(mine)


@pytest.mark.parametrize("step", [0, 39, 40, 90])
@pytest.mark.parametrize("world_size", [2, 4])
def test_the_processes_batches_together_are_the_single_process_batch(
    world_size: int, step: int
) -> None:
    order = _order()
    shares = [order.batch(step, rank, world_size) for rank in range(world_size)]
    assert np.array_equal(np.concatenate(shares), order.batch(step))


def test_a_batch_does_not_depend_on_what_was_asked_before() -> None:
    fresh, used = _order(), _order()
    for step in range(60):
        used.batch(step)
    assert np.array_equal(fresh.batch(60), used.batch(60))


@settings(deadline=None, max_examples=40)
@given(position=st.integers(0, 5000), share=st.floats(0.01, 0.99))
def test_rows_before_a_position_are_counted_by_source(position: int, share: float) -> None:
    mixture = Mixture.of([share, 1 - share, 0.3], seed=3)
    sources, _ = mixture.locate(np.arange(position))
    assert mixture.before(position) == tuple(np.bincount(sources, minlength=3).tolist())


def test_new_text_divides_what_fixed_shares_leave() -> None:
    shares = divide_shares({"a": 3.0, "b": 1.0}, FIXED)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["a"] == pytest.approx(0.45)
    assert shares["old"] == 0.25
