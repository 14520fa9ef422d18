"""The demo, with hardly any training: every stage runs, and what it shows is complete."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hanlin.cli import main

_STAGES = ("teacher", "student", "fluent", "helper", "reader")


@pytest.mark.slow
def test_the_demo_goes_through_all_stages_and_shows_what_was_learnt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = [word for name in _STAGES for word in ("--set", f"stages.{name}.training.steps=4")]
    flags = ["--json", "--device", "cpu", "--run", str(tmp_path / "demo")]
    few = ["stages.helper.task.held_out=1", "evaluation.samples=2", "evaluation.test_tokens=1000"]
    saved = ["stages.reader.training.checkpoint.every_steps=2", *few]
    settings = [word for setting in saved for word in ("--set", setting)]
    assert main(["demo", *flags, *short, *settings]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["stories"]) == len(found["asked"]) == 2
    for asked in found["asked"]:
        assert asked["story"] and asked["summary"]["world"] and asked["translation"]["world"]
        assert asked["dialogue"][0]["role"] == "user" and len(asked["dialogue"]) >= 2
    assert (tmp_path / "demo" / "report.html").is_file()
