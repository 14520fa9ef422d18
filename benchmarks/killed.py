"""Whether a run that is killed ends with the bits of one that is left alone.

    OMP_NUM_THREADS=1 python benchmarks/killed.py examples/chain-text.toml --kills 2 --seed 7

The recipe runs once to its end, then again in another folder, where SIGKILL stops it at moments
drawn by chance and the same command goes on. All weights of releases, and all metrics but for their
timings, must be the same. Ends with 1 where they are not.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hanlin.records import read_jsonl, sha256_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as scratch:
        whole, killed = Path(scratch) / "whole", Path(scratch) / "killed"
        start = time.monotonic()
        finish(given.recipe, whole)
        seconds = time.monotonic() - start
        print(f"left alone: {seconds:.0f} s", flush=True)
        start = time.monotonic()
        for _ in range(given.kills):
            after = seconds * chance.uniform(0.3, 0.9) / given.kills
            kill(given.recipe, killed, after)
        finish(given.recipe, killed)
        print(f"killed {given.kills} times: {time.monotonic() - start:.0f} s", flush=True)
        same = {
            "weights": weights(whole) == weights(killed),
            "metrics": rows(whole) == rows(killed),
        }
        print(f"{len(weights(whole))} files of weights, {len(rows(whole))} rows of metrics: {same}")
    sys.exit(not all(same.values()))


def finish(recipe: Path, folder: Path) -> None:
    """Run to the end."""
    subprocess.run(_command(recipe, folder), check=True, capture_output=True)


def kill(recipe: Path, folder: Path, seconds: float) -> None:
    """Begin or go on, and stop with SIGKILL after so many seconds."""
    running = subprocess.Popen(
        _command(recipe, folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(seconds)
    running.kill()
    running.wait()
    found = [*rows(folder)] if (folder / "metrics.jsonl").exists() else [("corpus", "", 0)]
    print(f"killed after {seconds:.0f} s, at {found[-1]}", flush=True)


def weights(folder: Path) -> dict[str, str]:
    """Return the hash of every file of weights, by its place; checkpoints are gone or not."""
    files = sorted(folder.rglob("*.safetensors"))
    kept = [file for file in files if "checkpoints" not in file.parts]
    return {str(file.relative_to(folder)): sha256_file(file) for file in kept}


def rows(folder: Path) -> dict[tuple[str, str, int], dict[str, Any]]:
    """Return what was measured without its timings, the last of each step."""
    found = {}
    for row in read_jsonl(folder / "metrics.jsonl"):
        row.pop("time", None)
        found[row["stage"], row["kind"], row["step"]] = row
    return found


def _command(recipe: Path, folder: Path) -> list[str]:
    hanlin = str(Path(sys.executable).with_name("hanlin"))
    return [hanlin, "run", str(recipe), "--run", str(folder)]


if __name__ == "__main__":
    main()
