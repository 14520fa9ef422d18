"""Curves from the lines of metrics: one axis for steps, one for tokens, one that time never runs
back on, and few enough points for a page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hanlin.runs.report.facts import Table, number, table

__all__ = ["Point", "curve", "smooth", "thin"]

Point = tuple[float, float, float, float]
_MOST_POINTS = 800


def curve(lines: Iterable[Table], value: Callable[[Table], Any]) -> tuple[Point, ...]:
    """Return points (step, tokens, seconds, value) of the lines in which the value is a number."""
    points: list[Point] = []
    before, offset = 0.0, 0.0
    for line in lines:
        elapsed = number(table(line.get("time")).get("elapsed")) or 0.0
        if elapsed < before:  # a continued run may count its seconds from zero again
            offset += before
        before = elapsed
        found = number(value(line))
        if found is None:
            continue
        step = number(line.get("step")) or 0.0
        points.append((step, number(line.get("tokens")) or 0.0, elapsed + offset, found))
    return thin(points, _MOST_POINTS)


def thin(points: Sequence[Point], most: int) -> tuple[Point, ...]:
    """Keep at most about `most` points: of each bucket its lowest and its highest, and both ends.

    >>> len(thin([(i, i, i, i % 7) for i in range(10_000)], 100)) <= 102
    True
    """
    if len(points) <= most:
        return tuple(points)
    buckets = max(1, most // 2)
    kept = {0, len(points) - 1}
    for number_ in range(buckets):
        first = number_ * len(points) // buckets
        last = (number_ + 1) * len(points) // buckets
        places = range(first, last)
        kept.add(min(places, key=lambda place: points[place][3]))
        kept.add(max(places, key=lambda place: points[place][3]))
    return tuple(points[place] for place in sorted(kept))


def smooth(values: Sequence[float], strength: float) -> list[float]:
    """Average exponentially, corrected for the short past of the first values.

    >>> smooth([1.0, 1.0, 4.0], 0.5)
    [1.0, 1.0, 2.7142857142857144]
    """
    smoothed, total, weight = [], 0.0, 0.0
    for value in values:
        total = strength * total + (1 - strength) * value
        weight = strength * weight + (1 - strength)
        smoothed.append(total / weight if weight else value)
    return smoothed
