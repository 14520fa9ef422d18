"""How near does `hanlin plan` come to what a run takes? Both, one after the other.

    python benchmarks/planning.py recipe.toml

Prints planned and real seconds and peak memory, and each stage's seconds and operations, with their
ratios. Run it on a quiet machine: the
plan times a few steps now, and the run takes what the machine gives later.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hanlin.config import load_recipe
from hanlin.planning import plan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", type=Path)
    options = parser.parse_args()
    found = plan(load_recipe(options.recipe), base=options.recipe.parent)
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        command = [sys.executable, "-m", "hanlin", "run", str(options.recipe)]
        subprocess.run([*command, "--run", folder], check=True)
        seconds = time.monotonic() - began
        results = {
            result["stage"]: result
            for path in Path(folder).glob("stages/*/result.json")
            for result in [json.loads(path.read_text(encoding="utf-8"))]
        }
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    _print("seconds", found.seconds, seconds)
    _print("megabytes", found.peak_bytes / 1e6, peak / 1e6)
    for stage in found.stages:
        result = results[stage.name]
        _print(f"{stage.name}, seconds", stage.seconds, result["seconds"])
        _print(f"{stage.name}, GFLOPs", stage.flops / 1e9, result["flops"] / 1e9)


def _print(name: str, planned: float, real: float) -> None:
    print(f"{name:<24} planned {planned:10.1f}  real {real:10.1f}  ratio {planned / real:.2f}")


if __name__ == "__main__":
    main()
