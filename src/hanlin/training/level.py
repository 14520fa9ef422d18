"""Whether a metric has reached its level, evaluation after evaluation.

An evaluation is a table in tables: {"zh": {"bits_per_byte": 2.1}}. `bits_per_byte.zh` names the
number in it, and bits come down to a level where shares of right answers come up to it.

    python -m hanlin.training.level
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hanlin.config import LevelConfig
from hanlin.errors import RunError

__all__ = ["LevelWatch", "find_metric", "has_reached"]


class LevelWatch:
    """Counts the evaluations in a row that have reached a level."""

    def __init__(self, config: LevelConfig) -> None:
        """Begin with none."""
        self.config = config
        self.in_a_row = 0

    @property
    def done(self) -> bool:
        """Whether there were enough."""
        return self.in_a_row >= self.config.times

    def see(self, evaluation: Mapping[str, Any]) -> None:
        """Count one evaluation."""
        self.in_a_row = self.in_a_row + 1 if has_reached(self.config, evaluation) else 0


def has_reached(config: LevelConfig, evaluation: Mapping[str, Any]) -> bool:
    """Whether one evaluation has reached the level; what is no number has not.

    >>> level = LevelConfig(metric="bits_per_byte.zh", level=2.0)
    >>> has_reached(level, {"zh": {"bits_per_byte": 1.9}})
    True
    """
    value = find_metric(config.metric, evaluation)
    return value <= config.level if config.lower_is_better else value >= config.level


def find_metric(metric: str, evaluation: Mapping[str, Any]) -> float:
    """Return the number that a metric names in an evaluation.

    Raises:
        RunError: there is none; the metrics that there are, are named.
    """
    measure, *groups = metric.split(".")
    found: Any = evaluation
    for name in (*groups, measure):
        found = found.get(name) if isinstance(found, Mapping) else None
    if not isinstance(found, int | float):
        known = ", ".join(_names(evaluation)) or "nothing"
        raise RunError(f"The evaluations do not measure {metric!r}; they measure {known}.")
    return float(found)


def _names(evaluation: Mapping[str, Any], groups: tuple[str, ...] = ()) -> list[str]:
    names: list[str] = []
    for key, value in evaluation.items():
        if isinstance(value, Mapping):
            names += _names(value, (*groups, key))
        else:
            names.append(".".join((key, *groups)))
    return names


if __name__ == "__main__":
    watch = LevelWatch(LevelConfig(metric="bits_per_byte.zh", level=2.0, times=2))
    for bits in (2.5, 1.9, 2.1, 1.9, 1.8):
        watch.see({"zh": {"bits_per_byte": bits}})
        print(bits, watch.in_a_row, watch.done)
