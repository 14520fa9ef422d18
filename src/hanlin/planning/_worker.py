"""The process in which a probe measures: a task on standard input, findings on standard output.

python -m hanlin.planning._worker training < task.json
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from hanlin.errors import HanlinError

__all__ = ["measure_apart"]

Table = dict[str, Any]


def measure_apart(kind: str, task: Mapping[str, Any]) -> Table:
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
    found: Table = json.loads(finished.stdout.splitlines()[-1])
    return found


def _main(kind: str) -> None:
    from hanlin.planning.preparation import measure_preparation
    from hanlin.planning.probe import measure_training

    kinds: dict[str, Callable[[Table], Any]] = {
        "training": measure_training,
        "preparation": measure_preparation,
    }
    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    print(json.dumps(asdict(kinds[kind](json.load(sys.stdin)))))


if __name__ == "__main__":
    _main(sys.argv[1])
