"""Measuring in a process of its own, whose memory is told apart from everything else's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from hanlin.errors import HanlinError

__all__ = ["measure_apart"]


def measure_apart(kind: str, task: Mapping[str, Any]) -> dict[str, Any]:
    """Give a task to a fresh process and return what it found.

    Raises:
        HanlinError: the process failed, for want of memory as a rule.
    """
    finished = subprocess.run(
        [sys.executable, "-m", "hanlin.planning._worker", kind],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if finished.returncode:
        reason = finished.stderr.strip().splitlines()[-1:] or ["it was killed"]
        raise HanlinError(
            f"The probe of the {kind} ended with code {finished.returncode}: {reason[0]}. If "
            "memory ran out, set training.microbatch or take a smaller model. Without a probe: "
            "hanlin plan --no-probe."
        )
    found: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return found
