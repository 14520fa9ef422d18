"""The learning rate is a pure function of the step."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanlin.config import ScheduleConfig
from hanlin.training import learning_rate_share


def _shares(num_steps: int = 100, **settings: Any) -> list[float]:
    config = ScheduleConfig.model_validate(settings)
    return [learning_rate_share(step, num_steps, config) for step in range(num_steps)]


def test_warm_up_rises_in_a_line_to_one() -> None:
    shares = _shares(kind="constant", warmup_share=0.1)
    assert shares[:10] == pytest.approx([0.1 * step for step in range(1, 11)])
    assert set(shares[10:]) == {1.0}


def test_wsd_holds_and_then_falls_in_a_line_to_its_final_share() -> None:
    shares = _shares(kind="wsd", warmup_share=0.1, decay_share=0.2, final_share=0.5)
    assert set(shares[10:80]) == {1.0}
    assert shares[89] == pytest.approx(0.75)
    assert shares[99] == pytest.approx(0.5)


def test_cosine_is_half_way_down_in_the_middle() -> None:
    shares = _shares(kind="cosine", warmup_share=0.0, final_share=0.0)
    assert shares[49] == pytest.approx(0.5)
    assert shares[99] == pytest.approx(0.0)


@given(
    kind=st.sampled_from(["wsd", "cosine", "constant"]),
    num_steps=st.integers(1, 60),
    warmup=st.floats(0, 1),
    decay=st.floats(0, 1),
    final=st.floats(0, 1),
)
def test_a_share_is_above_zero_until_the_last_step_and_never_above_one(
    kind: str, num_steps: int, warmup: float, decay: float, final: float
) -> None:
    shares = _shares(
        num_steps, kind=kind, warmup_share=warmup, decay_share=decay, final_share=final
    )
    assert all(0 < share <= 1 + 1e-12 for share in shares[:-1])
    assert shares[-1] >= min(final, 1 / num_steps) - 1e-12
