from __future__ import annotations

import itertools
import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "stories.py"


def test_no_two_seeds_share_a_story() -> None:
    script = runpy.run_path(str(SCRIPT), run_name="stories")

    def drawn(seed: int) -> set[int]:
        """Return the seeds that the rows of twenty batches draw with."""
        starts = itertools.islice(script["draw_seeds"](seed), 20)
        return {start + row for start in starts for row in range(script["_BATCH"])}

    found = [drawn(seed) for seed in (1, 2, 3, 1000, 1001, 100_001)]
    assert all(len(seeds) == 20 * script["_BATCH"] for seeds in found)
    assert sum(map(len, found)) == len(set().union(*found))
    assert max(max(seeds) for seeds in found) < 2**32
