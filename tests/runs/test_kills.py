"""The proof on the command line: `hanlin run`, killed twenty times, ends bit for bit as if not."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hanlin.records import read_jsonl, sha256_file

_STEPS, _EVERY, _KILLS = 420, 5, 20


def _start(recipe: Path, run: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "hanlin", "run", str(recipe), "--run", str(run)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _checkpoint(run: Path) -> int:
    names = [path.name for path in run.glob("stages/1-base/checkpoints/step-*")]
    return max((int(name.removeprefix("step-")) for name in names), default=0)


def _metrics(run: Path) -> list[dict[str, Any]]:
    records = list(read_jsonl(run / "metrics.jsonl"))
    for record in records:
        record.pop("time")
    return records


@pytest.mark.slow
def test_a_run_killed_twenty_times_equals_the_one_that_was_not(
    tmp_path: Path, tiny_text: str
) -> None:
    recipe = tmp_path / "recipe.toml"
    text = tiny_text.replace("steps = 8", f"steps = {_STEPS}").replace("eval_every = 4", "")
    text = text.replace("every_steps = 4", f"every_steps = {_EVERY}")
    recipe.write_text(text.replace("sample_every = 4", "sample_every = 40"), encoding="utf-8")
    chance = random.Random(3)
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    for target in sorted(chance.sample(range(_EVERY, _STEPS - 60, _EVERY), _KILLS)):
        process = _start(recipe, killed)
        deadline = time.monotonic() + 120
        while _checkpoint(killed) < target:
            assert process.poll() is None, "the run ended before it was killed"
            assert time.monotonic() < deadline, "the run does not come on"
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.05))
        process.kill()
        process.wait()
    assert _start(recipe, killed).wait() == 0
    assert _start(recipe, whole).wait() == 0

    resumed = [r["step"] for r in read_jsonl(killed / "events.jsonl") if r["event"] == "resumed"]
    assert len(resumed) == _KILLS
    assert all(step > 0 for step in resumed)
    weights = "stages/1-base/model/model.safetensors"
    assert sha256_file(killed / weights) == sha256_file(whole / weights)
    assert _metrics(killed) == _metrics(whole)
