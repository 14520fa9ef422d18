"""Chance as a pure function of (seed, step, rank): no random state to save, none to lose.

Before each step every generator that the step may draw from (torch's, for dropout; the objective's;
Python's and numpy's, for code of others) is seeded from the seed, the step and the rank. A resumed
run therefore draws what the uninterrupted one drew, and evaluation and sampling between two steps
cannot disturb training, whatever they draw.

    python -m hanlin.training.chance
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch

__all__ = ["keep_chance", "seed_step"]


def seed_step(seed: int, step: int, rank: int, generator: torch.Generator) -> None:
    """Seed `generator` and the global generators of torch, numpy and Python for one step."""
    ours, theirs, numpys, pythons = np.random.SeedSequence((seed, step, rank)).generate_state(4)
    generator.manual_seed(int(ours))
    torch.manual_seed(int(theirs))
    np.random.seed(int(numpys))
    random.seed(int(pythons))


@contextlib.contextmanager
def keep_chance() -> Iterator[None]:
    """Put the global generators back at the end, so that training leaves its caller's alone."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)


if __name__ == "__main__":
    for number in (0, 1, 0):
        seed_step(7, number, 0, torch.Generator())
        print(number, torch.rand(2).tolist())
