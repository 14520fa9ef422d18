"""When a claim holds: values over seeds against a control's, by a rule that was fixed before.

    at_most(f)           mean(values) <= f * mean(control)
    at_least(f)          mean(values) >= f * mean(control)
    below(l), above(l)   mean(values) <= l, mean(values) >= l; the control is shown beside
    no_lower_by(p)       mean(values) >= mean(control) - p
    better_than_spread   mean(control) - mean(values) > 2 * spread   (the other way for `higher`)
    no_better_than_spread   the opposite, for controls that must not gain

The spread is the larger of the two standard deviations over the seeds; a difference within twice
that is chance (small models differ by 0.002 to 0.005 nats from seed to seed alone). One seed has
no spread, so that nothing which needs one can be judged on it.

    python -m hanlin.evaluation.comparison
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hanlin.records import Verdict

__all__ = [
    "Comparison",
    "above",
    "at_least",
    "at_most",
    "below",
    "better_than_spread",
    "no_better_than_spread",
    "no_lower_by",
    "spread_of",
]

Rule = Literal[
    "at most",
    "at least",
    "no lower by",
    "below",
    "above",
    "lower",
    "higher",
    "not lower",
    "not higher",
]

_SPREADS = 2.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """A rule that values must meet against a control."""

    rule: Rule
    factor: float = 1.0
    """What the control is multiplied by; for `below` and `above` the level, for `no lower by` the
    margin."""

    def __str__(self) -> str:
        """Say the rule in words."""
        if self.rule in ("below", "above"):
            return f"at {'most' if self.rule == 'below' else 'least'} {self.factor:g}"
        if self.rule == "no lower by":
            return f"at most {self.factor:g} lower than the control"
        if self.rule in ("at most", "at least"):
            return f"{self.rule} {self.factor:g} x the control"
        return f"{self.rule} than the control by more than twice the seeds' spread"

    def judge(self, values: Sequence[float], control: Sequence[float]) -> Verdict:
        """Return the verdict over all seeds; without a number in each place a claim fails."""
        absolute = self.rule in ("below", "above")
        numbers = [*values, *(() if absolute else control)]
        if not values or not control or not all(math.isfinite(number) for number in numbers):
            return "failed"
        mean = statistics.fmean(values)
        if self.rule == "no lower by":
            return "held" if mean >= statistics.fmean(control) - self.factor else "failed"
        if absolute or self.rule in ("at most", "at least"):
            gap = self.factor * (1.0 if absolute else statistics.fmean(control)) - mean
            return "held" if (gap if self.rule in ("at most", "below") else -gap) >= 0 else "failed"
        spread = spread_of(values, control)
        if spread is None:
            return "not tested"
        gain = statistics.fmean(control) - mean
        better = (gain if self.rule.endswith("lower") else -gain) > _SPREADS * spread
        return "held" if better != self.rule.startswith("not") else "failed"


def at_most(factor: float = 1.0) -> Comparison:
    """Return the rule that values are at most `factor` times the control's."""
    return Comparison("at most", factor)


def at_least(factor: float = 1.0) -> Comparison:
    """Return the rule that values are at least `factor` times the control's."""
    return Comparison("at least", factor)


def better_than_spread(*, higher: bool = False) -> Comparison:
    """Return the rule that values beat the control's beyond twice the seeds' spread."""
    return Comparison("higher" if higher else "lower")


def no_better_than_spread(*, higher: bool = False) -> Comparison:
    """Return the rule that values do not beat the control's beyond twice the seeds' spread."""
    return Comparison("not higher" if higher else "not lower")


def no_lower_by(margin: float) -> Comparison:
    """Return the rule that values, higher being better, are at most `margin` below the control."""
    return Comparison("no lower by", margin)


def below(level: float) -> Comparison:
    """Return the rule that values are at most `level`, whatever the control's are."""
    return Comparison("below", level)


def above(level: float) -> Comparison:
    """Return the rule that values are at least `level`, whatever the control's are."""
    return Comparison("above", level)


def spread_of(*groups: Sequence[float]) -> float | None:
    """Return the largest standard deviation of the groups; None where no group has two values.

    >>> spread_of([1.0, 3.0], [5.0]), spread_of([1.0])
    (1.4142135623730951, None)
    """
    found = [statistics.stdev(group) for group in groups if len(group) > 1]
    return max(found, default=None)


if __name__ == "__main__":
    for seeds in ([1.40, 1.41, 1.42], [1.49, 1.40, 1.52]):
        print(better_than_spread().judge(seeds, [1.50, 1.51, 1.50]), spread_of(seeds))
