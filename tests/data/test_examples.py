"""Examples in rows: whole, in a pure order, and mixed by temperature."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hanlin.data import READ, ExampleRows, Order, hide_tokens, task_shares


def example(*answer: int, prompt: tuple[int, ...] = (0, 90, 91)) -> np.ndarray:
    return hide_tokens([*prompt, *answer], [False] * len(prompt) + [True] * len(answer))


def test_a_hidden_token_can_be_told_from_padding_and_taken_back() -> None:
    numbers = example(92)
    assert numbers.tolist() == [READ, -92, -93, 92]
    assert np.where(numbers <= READ, READ - numbers, numbers).tolist() == [0, 90, 91, 92]


def test_every_example_is_in_one_row_whole_and_once() -> None:
    examples = [example(*range(100, 100 + size)) for size in (1, 5, 2, 7, 3, 1, 4)]
    rows = ExampleRows.pack(examples, row_length=9)
    found = []
    for number in range(rows.num_rows):
        row = rows.row(number, epoch_key=0)
        assert row.shape == (10,)
        kept = row[row != -1]
        assert (row[len(kept) :] == -1).all()
        starts = [*np.flatnonzero(kept == READ).tolist(), len(kept)]
        found += [tuple(kept[a:b].tolist()) for a, b in itertools.pairwise(starts)]
    assert sorted(found) == sorted(tuple(one.tolist()) for one in examples)


def test_the_order_is_the_same_however_many_processes_share_it() -> None:
    rows = {name: ExampleRows.pack([example(n)] * 40, 7) for n, name in enumerate("ab", 100)}
    order = Order.mixed(rows, shares={"a": 0.7, "b": 0.3}, rows_per_step=4, seed=3)
    for step in (0, 5, 300):
        whole = order.batch(step)
        halves = [order.batch(step, rank, 2) for rank in range(2)]
        assert np.array_equal(whole, np.concatenate(halves))


@pytest.mark.parametrize(("temperature", "expected"), [(1, 0.8), (2, 2 / 3)])
def test_shares_follow_size_cap_and_temperature(temperature: float, expected: float) -> None:
    rows = {"big": _rows(1000), "small": _rows(100)}
    caps = {"big": 400, "small": 400}
    shares = task_shares(rows, weights={"big": 1, "small": 1}, caps=caps, temperature=temperature)
    assert shares["big"] == pytest.approx(expected)
    assert sum(shares.values()) == pytest.approx(1)


def test_long_examples_get_more_rows_for_the_same_share_of_examples() -> None:
    rows = {"long": _rows(100, per_row=1), "short": _rows(100, per_row=4)}
    same = {"long": 1, "short": 1}
    shares = task_shares(rows, weights=same, caps={"long": 500, "short": 500}, temperature=2)
    assert shares["long"] == pytest.approx(0.8)


def _rows(count: int, per_row: int = 1) -> ExampleRows:
    return ExampleRows.pack([example(100)] * count, row_length=4 * per_row - 1)
