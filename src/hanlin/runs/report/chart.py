"""A chart as hand-written SVG: thin lines, labels at the curves' ends, no box and no legend.

The page's script draws the same chart anew for another axis, scale, smoothing or width; this is
the one seen without it. Geometry is kept in one frame so that both agree.

    python -m hanlin.runs.report.chart > chart.svg
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from html import escape

from hanlin.planning.units import count, exact
from hanlin.runs.report.blocks import Chart, Line
from hanlin.runs.report.curves import smooth

__all__ = ["SMOOTHING", "chart_svg", "spread_labels", "ticks"]

SMOOTHING = 0.6
_WIDTH, _LEFT, _TOP, _BOTTOM = 560, 44, 12, 26
_LABEL_GAP = 15.0


def chart_svg(chart: Chart) -> str:
    """Return the chart over steps, with a linear scale."""
    frame = _Frame(chart)
    marks = [*frame.grid(), *frame.references()]
    for line in chart.lines:
        marks.extend(frame.curve(line))
    marks.extend(frame.labels())
    return (
        f'<svg viewBox="0 0 {_WIDTH} {frame.height}" role="img" '
        f'aria-label="{escape(chart.title)}">{"".join(marks)}</svg>'
    )


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return round numbers between two values: steps of 1, 2 or 5 times a power of ten.

    >>> ticks(0, 1000, 5)
    [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]
    """
    if not high > low:
        return [low]
    rough = (high - low) / most
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]


def spread_labels(heights: Sequence[float], top: float, bottom: float) -> list[float]:
    """Push labels apart that would overlap, in their order, as little as needed.

    >>> spread_labels([50, 52, 90], 0, 200)
    [50, 65.0, 90]
    """
    order = sorted(range(len(heights)), key=lambda place: heights[place])
    placed = list(heights)
    for before, here in itertools.pairwise(order):
        placed[here] = max(placed[here], placed[before] + _LABEL_GAP)
    limit = bottom
    for here in reversed(order):
        placed[here] = max(top, min(placed[here], limit))
        limit = placed[here] - _LABEL_GAP
    return placed


class _Frame:
    """The plot's geometry: from values to places on the page."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self.height = 180 if chart.small else 280
        self.right = _WIDTH - (64 if chart.small else 96)
        steps = [point[0] for line in chart.lines for point in line.points]
        values = [point[3] for line in chart.lines for point in line.points]
        values += [reference.value for reference in chart.references]
        self.first, self.last = min(steps, default=0.0), max(steps, default=1.0)
        low, high = min(values, default=0.0), max(values, default=1.0)
        pad = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
        self.low, self.high = low - pad if low < 0 else max(0.0, low - pad), high + pad

    def x(self, step: float) -> float:
        return _LEFT + (self.right - _LEFT) * (step - self.first) / (
            (self.last - self.first) or 1.0
        )

    def y(self, value: float) -> float:
        height = self.height - _TOP - _BOTTOM
        return _TOP + height * (self.high - value) / (self.high - self.low)

    def grid(self) -> list[str]:
        right, bottom = self.right, self.height - 8
        marks = []
        for value in ticks(self.low, self.high, 3 if self.chart.small else 5):
            y = self.y(value)
            marks.append(
                f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            )
            marks.append(
                f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
                f"{count(value) if value >= 10_000 else exact(value)}</text>"
            )
        for step in ticks(self.first, self.last, 5):
            marks.append(
                f'<text class="tick" x="{self.x(step):.1f}" y="{bottom}" text-anchor="middle">'
                f"{exact(step)}</text>"
            )
        return marks

    def references(self) -> list[str]:
        return [
            f'<line class="reference {reference.role}" x1="{_LEFT}" x2="{self.right}" '
            f'y1="{self.y(reference.value):.1f}" y2="{self.y(reference.value):.1f}"/>'
            for reference in self.chart.references
        ]

    def curve(self, line: Line) -> list[str]:
        values = [point[3] for point in line.points]
        if not line.noisy or len(line.points) == 1:
            return [*self._path(line, values, line.role), *self._dots(line)]
        smoothed = smooth(values, SMOOTHING)
        return [
            *self._path(line, values, f"{line.role} raw"),
            *self._path(line, smoothed, line.role),
        ]

    def labels(self) -> list[str]:
        named: list[tuple[str, float, str]] = [
            (f"{line.label} {_level(_last(line))}", _last(line), line.role)
            for line in self.chart.lines
            if line.points
        ]
        named += [(r.label, r.value, f"{r.role} faint") for r in self.chart.references]
        heights = [self.y(value) for _, value, _ in named]
        placed = spread_labels(heights, _TOP, self.height - _BOTTOM)
        return [
            f'<text class="label {role}" x="{self.right + 8}" y="{height + 4:.1f}">'
            f"{escape(text)}</text>"
            for (text, _, role), height in zip(named, placed, strict=True)
        ]

    def _path(self, line: Line, values: Sequence[float], role: str) -> list[str]:
        places = [
            f"{self.x(point[0]):.1f} {self.y(value):.1f}"
            for point, value in zip(line.points, values, strict=True)
        ]
        return [f'<path class="curve {role}" d="M{"L".join(places)}"/>'] if len(places) > 1 else []

    def _dots(self, line: Line) -> list[str]:
        # Few points are shown each; a single one would be no line at all.
        if len(line.points) > 40:
            return []
        return [
            f'<circle class="dot {line.role}" cx="{self.x(point[0]):.1f}" '
            f'cy="{self.y(point[3]):.1f}" r="2"/>'
            for point in line.points
        ]


def _level(value: float) -> str:
    return f"{value:.3f}" if 0.01 <= abs(value) < 100 else exact(value)


def _last(line: Line) -> float:
    values = [point[3] for point in line.points]
    return smooth(values, SMOOTHING)[-1] if line.noisy else values[-1]


if __name__ == "__main__":
    points = tuple((s, s * 8192, s / 9, 9 * math.exp(-s / 300) + 2) for s in range(0, 1000, 10))
    print(chart_svg(Chart("loss", "Loss", (Line("loss", points, "accent", noisy=True),))))
