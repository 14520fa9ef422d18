from __future__ import annotations

import itertools
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.runs.report.blocks import Chart, Line, Reference
from hanlin.runs.report.chart import chart_svg, spread_labels, ticks
from hanlin.runs.report.curves import curve, smooth, thin

VALUES = st.floats(-1e6, 1e6)


def test_time_goes_on_where_a_continued_run_counts_from_zero_again() -> None:
    lines = [
        {"step": step, "tokens": step, "loss": 1.0, "time": {"elapsed": elapsed}}
        for step, elapsed in ((1, 10.0), (2, 20.0), (3, 5.0), (4, 15.0))
    ]
    points = curve(lines, lambda line: line["loss"])
    assert [point[2] for point in points] == [10.0, 20.0, 25.0, 35.0]


def test_losses_that_are_not_finite_are_left_out() -> None:
    lines = [{"step": 1, "loss": math.nan}, {"step": 2, "loss": 2.0}, {"step": 3, "loss": None}]
    assert [point[0] for point in curve(lines, lambda line: line["loss"])] == [2.0]


@settings(deadline=None)
@given(st.lists(VALUES, min_size=2, max_size=500), st.integers(10, 60))
def test_thinning_keeps_the_extremes_and_both_ends(values: list[float], most: int) -> None:
    points = [(float(place), 0.0, 0.0, value) for place, value in enumerate(values)]
    thinned = thin(points, most)
    assert thinned[0] == points[0]
    assert thinned[-1] == points[-1]
    assert max(point[3] for point in thinned) == max(values)
    assert min(point[3] for point in thinned) == min(values)
    assert len(thinned) <= max(len(values) if len(values) <= most else 0, most + 2)


@settings(deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=50), st.floats(0, 0.99))
def test_smoothing_stays_between_the_extremes(values: list[float], strength: float) -> None:
    slack = 1e-6 * max(map(abs, values)) + 1e-9
    assert all(min(values) - slack <= v <= max(values) + slack for v in smooth(values, strength))


@settings(deadline=None)
@given(VALUES, st.floats(1e-6, 1e6))
def test_ticks_lie_inside_and_are_evenly_spaced(low: float, span: float) -> None:
    found = ticks(low, low + span, 5)
    if len(found) >= 2:
        gaps = [b - a for a, b in itertools.pairwise(found)]
        assert max(gaps) - min(gaps) <= 1e-3 * max(gaps) + 1e-9
    assert len(found) <= 12


@settings(deadline=None)
@given(st.lists(st.floats(0, 200), min_size=1, max_size=8))
def test_labels_do_not_overlap(heights: list[float]) -> None:
    placed = sorted(spread_labels(heights, 0, 200))
    assert all(b - a >= 14.99 for a, b in itertools.pairwise(placed))


@pytest.mark.parametrize("noisy", [False, True])
def test_a_single_point_is_drawn_as_a_dot(noisy: bool) -> None:
    line = Line("zh", ((1.0, 1.0, 1.0, 2.0),), "accent", noisy=noisy)
    svg = chart_svg(Chart("c", "C", (line,)))
    assert "<circle" in svg
    assert "nan" not in svg


def test_curve_and_reference_carry_their_labels_at_the_end() -> None:
    line = Line("zh", ((0.0, 0.0, 0.0, 2.0), (1.0, 1.0, 1.0, 1.0)), "accent")
    svg = chart_svg(Chart("c", "C", (line,), (Reference("n-gram <zh>", 1.5, "accent"),)))
    labels = re.findall(r'class="label[^>]*>([^<]*)<', svg)
    assert labels == ["zh 1.000", "n-gram &lt;zh&gt;"]
