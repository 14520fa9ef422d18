"""What a run says of its time: each part since the last one, and their sum."""

from __future__ import annotations

import pytest

from hanlin.runs import console
from hanlin.runs.console import Laps


def test_each_part_counts_from_the_end_of_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 142.0, 290.0, 291.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    laps = Laps()
    for name in ("preparing", "base", "report"):
        laps.end(name)
    assert laps.seconds == {"preparing": 42.0, "base": 148.0, "report": 1.0}
    assert laps.summary() == "Done in 3 min 11 s: preparing 42 s, base 148 s, report 1 s"
