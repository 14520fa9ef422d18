from __future__ import annotations

import math

import pytest

from hanlin.evaluation import Comparison, at_least, at_most, better_than_spread


@pytest.mark.parametrize(
    ("rule", "values", "control", "verdict"),
    [
        (at_most(0.5), [0.4, 0.6], [1.0, 1.0], "held"),
        (at_most(0.5), [0.4, 0.7], [1.0, 1.0], "failed"),
        (at_least(1.1), [1.2, 1.0], [1.0, 1.0], "held"),
        (at_least(1.1), [1.0, 1.1], [1.0, 1.0], "failed"),
        (better_than_spread(), [1.0, 1.1], [1.5, 1.6], "held"),
        (better_than_spread(), [1.0, 1.4], [1.5, 1.6], "failed"),
        (better_than_spread(higher=True), [1.5, 1.6], [1.0, 1.1], "held"),
        (better_than_spread(higher=True), [1.0, 1.1], [1.5, 1.6], "failed"),
        (better_than_spread(), [1.0], [9.0], "not tested"),
        (better_than_spread(), [1.0, math.nan], [9.0, 9.0], "failed"),
        (at_most(), [], [1.0], "failed"),
    ],
)
def test_a_rule_is_judged_on_all_seeds(
    rule: Comparison, values: list[float], control: list[float], verdict: str
) -> None:
    assert rule.judge(values, control) == verdict
