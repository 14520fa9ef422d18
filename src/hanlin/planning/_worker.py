"""The process in which a probe measures: a task on standard input, findings on standard output.

python -m hanlin.planning._worker training < task.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from hanlin.planning.preparation import measure_preparation
from hanlin.planning.probe import measure_training

_KINDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "training": measure_training,
    "preparation": measure_preparation,
}

if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    print(json.dumps(asdict(_KINDS[sys.argv[1]](json.load(sys.stdin)))))
