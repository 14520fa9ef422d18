"""Each guard on its own: what is refused, and what is left as it was."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanlin.errors import HanlinError
from hanlin.training.guards import Guard


def _settled(losses: int = 60) -> Guard:
    guard = Guard(max_skipped=3)
    for number in range(losses):
        assert not guard.judge(3.0 + 0.05 * math.sin(number), 1.0)
    return guard


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_is_refused(loss: float) -> None:
    assert "loss is" in Guard(3).judge(loss, 1.0)


@pytest.mark.parametrize("norm", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_is_refused(norm: float) -> None:
    assert "norm is" in Guard(3).judge(3.0, norm)


def test_a_spike_is_refused_and_does_not_enter_the_window() -> None:
    guard = _settled()
    before = guard.state_dict()["losses"]
    assert "spike" in guard.judge(9.0, 1.0)
    assert guard.state_dict()["losses"] == before


def test_a_nan_does_not_poison_the_window() -> None:
    guard = _settled()
    guard.judge(math.nan, 1.0)
    assert not guard.judge(3.0, 1.0)
    assert "spike" in guard.judge(9.0, 1.0)


def test_the_first_steps_may_leap() -> None:
    guard = Guard(3)
    assert not any(guard.judge(loss, 1.0) for loss in (9.0, 4.0, 8.0, 3.0))


def test_a_fall_of_the_loss_is_no_spike() -> None:
    assert not _settled().judge(0.1, 1.0)


@given(st.lists(st.floats(-0.15, 0.15), max_size=200))
def test_ordinary_noise_is_never_refused(noise: list[float]) -> None:
    guard = _settled()
    assert not any(guard.judge(3.0 + wobble, 1.0) for wobble in noise)


def test_too_many_in_a_row_stop_the_training_with_a_way_out() -> None:
    guard = Guard(max_skipped=2)
    guard.check(1, guard.judge(math.nan, 1.0))
    with pytest.raises(HanlinError, match=r"2 steps in a row .* loss is nan.*learning rate"):
        guard.check(2, guard.judge(math.nan, 1.0))


def test_an_accepted_step_starts_the_count_anew() -> None:
    guard = Guard(max_skipped=2)
    for loss in (math.nan, 3.0, math.nan):
        guard.check(1, guard.judge(loss, 1.0))
    assert guard.skipped == 2
    assert guard.in_a_row == 1


def test_the_window_and_counts_come_back_from_a_checkpoint() -> None:
    guard, other = _settled(), Guard(3)
    guard.judge(math.nan, 1.0)
    other.load_state_dict(guard.state_dict())
    assert other.state_dict() == guard.state_dict()
    assert "spike" in other.judge(9.0, 1.0)
