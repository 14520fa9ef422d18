"""The order of training data is a pure function of the seed and the position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hanlin.data import Mixture, Order, hash_integers, permute
from hanlin.data.permutation import permute_one
from hanlin.errors import DataError


@dataclass(frozen=True)
class NumberedRows:
    """Rows that carry their source and number."""

    source: int
    num_rows: int

    def row(self, number: int, epoch_key: int) -> NDArray[np.int32]:
        return np.array([self.source, number, epoch_key % 1000], dtype=np.int32)


def _order(sizes: dict[str, int], **options: object) -> Order:
    rows = {name: NumberedRows(i, size) for i, (name, size) in enumerate(sizes.items())}
    settings_ = {"weights": {}, "rows_per_step": 4, "seed": 1} | options
    return Order.of(rows, **settings_)  # type: ignore[arg-type]


@settings(deadline=None)
@given(size=st.integers(1, 3000), key=st.integers(0, 2**63))
def test_a_permutation_holds_every_number_once(size: int, key: int) -> None:
    assert np.array_equal(np.sort(permute(np.arange(size), size, key)), np.arange(size))


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 300), st.integers(0, 2**64 - 1))
def test_one_position_goes_where_it_goes_among_many(size: int, key: int) -> None:
    alone = [permute_one(position, size, key) for position in range(size)]
    assert alone == permute(np.arange(size), size, key).tolist()


def test_hashes_and_orders_stay_what_they_were() -> None:
    assert hash_integers(1, 2, 3) == 15020427595393229491
    assert hash_integers(-1) == 16490336266968443936
    assert permute(np.arange(8), 8, key=7).tolist() == [5, 6, 3, 2, 7, 0, 1, 4]


def test_different_keys_give_different_orders() -> None:
    first, second = (permute(np.arange(500), 500, key) for key in (1, 2))
    assert (first == second).mean() < 0.02
    assert (first == np.arange(500)).mean() < 0.02


def test_an_epoch_reads_every_row_once_before_any_twice() -> None:
    order = _order({"a": 40})
    read = np.concatenate([order.batch(step)[:, 1] for step in range(20)])
    for epoch in (read[:40], read[40:]):
        assert np.array_equal(np.sort(epoch), np.arange(40))
    assert not np.array_equal(read[:40], read[40:])


@pytest.mark.parametrize("world_size", [2, 4])
def test_the_processes_batches_together_are_the_single_process_batch(world_size: int) -> None:
    order = _order({"a": 40, "b": 7})
    for step in (0, 5, 100):
        shares = [order.batch(step, rank, world_size) for rank in range(world_size)]
        assert np.array_equal(np.concatenate(shares), order.batch(step))


def test_a_batch_does_not_depend_on_what_was_asked_before() -> None:
    fresh, used = _order({"a": 40, "b": 7}), _order({"a": 40, "b": 7})
    for step in range(9):
        used.batch(step)
    assert np.array_equal(fresh.batch(9), used.batch(9))


def test_the_mixture_keeps_its_shares_and_numbers_rows_without_gaps() -> None:
    mixture = Mixture.of([3.0, 1.0], seed=5)
    sources, numbers = mixture.locate(np.arange(4096))
    assert (sources == 0).mean() == pytest.approx(0.75, abs=0.002)
    for source in (0, 1):
        mine = np.sort(numbers[sources == source])
        assert np.array_equal(mine, np.arange(len(mine)))


def test_a_weight_multiplies_the_natural_share() -> None:
    order = _order({"a": 100, "b": 100}, weights={"b": 3.0}, rows_per_step=1024)
    assert (order.batch(0)[:, 0] == 1).mean() == pytest.approx(0.75, abs=0.002)


def test_rows_that_processes_cannot_share_are_refused() -> None:
    with pytest.raises(DataError, match="4 rows a step cannot be shared by 3"):
        _order({"a": 40}).batch(0, 0, 3)
