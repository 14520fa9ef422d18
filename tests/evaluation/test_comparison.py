from __future__ import annotations

import math

import pytest

from hanlin.evaluation import (
    Comparison,
    above,
    at_least,
    at_most,
    below,
    better_than_spread,
    no_better_than_spread,
)


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
        (no_better_than_spread(), [1.0, 1.1], [1.5, 1.6], "failed"),
        (no_better_than_spread(), [1.0, 1.4], [1.5, 1.6], "held"),
        (no_better_than_spread(higher=True), [1.5, 1.6], [1.0, 1.1], "failed"),
        (no_better_than_spread(), [1.0], [9.0], "not tested"),
        (below(0.01), [0.0, 0.02], [5.0], "held"),
        (below(0.01), [0.0, 0.03], [math.nan], "failed"),
        (above(0.5), [0.4, 0.6], [0.1], "held"),
        (above(0.5), [0.4, 0.5], [0.1], "failed"),
        (better_than_spread(), [1.0], [9.0], "not tested"),
        (better_than_spread(), [1.0, math.nan], [9.0, 9.0], "failed"),
        (at_most(), [], [1.0], "failed"),
    ],
)
def test_a_rule_is_judged_on_all_seeds(
    rule: Comparison, values: list[float], control: list[float], verdict: str
) -> None:
    assert rule.judge(values, control) == verdict
