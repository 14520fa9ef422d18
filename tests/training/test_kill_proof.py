"""The proof: killed twenty times without warning, a training ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hanlin.records import read_jsonl, sha256_file

_SCRIPT = Path(__file__).with_name("training_process.py")
_STEPS, _EVERY, _KILLS = 600, 5, 20


def _start(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(_SCRIPT), str(folder)]
    return subprocess.Popen(
        [*command, "--steps", str(_STEPS), "--every", str(_EVERY)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.DEVNULL,
    )


def _last_step(folder: Path) -> int:
    """Return the last step in the metrics, from the end of the file."""
    path = folder / "metrics.jsonl"
    if not path.exists():
        return 0
    for line in reversed(path.read_bytes()[-2000:].splitlines()):
        try:
            return int(json.loads(line)["step"])
        except (ValueError, KeyError):
            continue
    return 0


def _kill_after(process: subprocess.Popen[bytes], folder: Path, step: int, delay: float) -> int:
    """Kill the process some time after a step was logged; return the last step it logged."""
    deadline = time.monotonic() + 300
    while _last_step(folder) < step:
        assert process.poll() is None, "the training ended before it was killed"
        assert time.monotonic() < deadline, "the training does not come on"
        time.sleep(0.0005)
    time.sleep(delay)
    process.kill()
    process.wait()
    return _last_step(folder)


def _metrics(folder: Path) -> list[dict[str, Any]]:
    records = list(read_jsonl(folder / "metrics.jsonl"))
    for record in records:
        record.pop("time")
    return records


@pytest.mark.slow
def test_twenty_kills_change_no_bit(tmp_path: Path) -> None:
    chance = random.Random(8)
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    targets = sorted(chance.sample(range(9, _STEPS - 60, 12), _KILLS))
    seen = []
    in_a_save = 0
    for target in targets:
        process = _start(killed)
        seen.append(_kill_after(process, killed, target, chance.uniform(0, 0.03)))
        in_a_save += bool(list((killed / "checkpoints").glob(".step-*")))
    assert _start(killed).wait() == 0
    assert _start(whole).wait() == 0

    resumed = [r["step"] for r in read_jsonl(killed / "events.jsonl") if r["event"] == "resumed"]
    assert len(resumed) == _KILLS
    assert all(
        again > 0 and seen_ - again <= _EVERY for again, seen_ in zip(resumed, seen, strict=True)
    )
    assert in_a_save > 0, "no kill fell into the writing of a checkpoint"
    name = f"checkpoints/step-{_STEPS:08d}"
    for file in ("model.safetensors", "optimizer.safetensors"):
        assert sha256_file(killed / name / file) == sha256_file(whole / name / file)
    assert _metrics(killed) == _metrics(whole)
    print(f"{in_a_save} of {_KILLS} kills fell into the writing of a checkpoint")
