"""A small training in a process of its own, to be killed, continued and multiplied.

python training_process.py FOLDER [--steps N] [--linger SECONDS]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from hanlin.config import ModelConfig, TrainingConfig
from hanlin.errors import HanlinError
from hanlin.models import Decoder, build_model
from hanlin.objectives import NextToken
from hanlin.training import TrainingResult, train


class CountingRows:
    """Rows that count upwards from a random start, in a random stride: easy to learn."""

    def __init__(self, *, rows: int = 8, length: int = 16, vocab_size: int = 32) -> None:
        self.rows, self.length, self.vocab_size = rows, length, vocab_size

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> NDArray[np.int32]:
        """Return this process's rows of a step."""
        chance = np.random.default_rng((11, step))
        starts, strides = chance.integers(0, self.vocab_size, (2, self.rows, 1))
        rows = (starts + (1 + strides % 3) * np.arange(self.length + 1)) % self.vocab_size
        share = self.rows // world_size
        return rows[rank * share : (rank + 1) * share].astype(np.int32)


class SlowRows(CountingRows):
    """The same rows, each step late, so that a signal finds the training under way."""

    seconds = 0.0

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> NDArray[np.int32]:
        """Return this process's rows of a step, after a while."""
        time.sleep(self.seconds)
        return super().batch(step, rank, world_size)


def tiny_model(*, dropout: float = 0.1, seed: int = 1) -> Decoder:
    """Return a decoder of about 9,000 weights."""
    shape = ModelConfig(
        vocab_size=32,
        hidden_size=24,
        num_heads=2,
        num_layers=1,
        context_length=16,
        dropout=dropout,
    )
    return build_model(shape, seed=seed)


def settings(**changes: Any) -> TrainingConfig:
    """Return the settings of a short training."""
    plain: dict[str, Any] = {
        "steps": 30,
        "batch_tokens": 128,
        "log_every": 3,
        "eval_every": 10,
        "sample_every": 15,
        "checkpoint": {"every_steps": 5},
    }
    return TrainingConfig.model_validate(plain | changes)


def run(folder: Path, config: TrainingConfig, **changes: Any) -> TrainingResult:
    """Train the tiny model in a folder, with evaluation and samples that draw by chance."""

    def draw(model: nn.Module, step: int) -> dict[str, Any]:
        np.random.random()
        return {"step": step, "weights": sum(float(p.detach().sum()) for p in model.parameters())}

    plain: dict[str, Any] = {
        "model": tiny_model(),
        "objective": NextToken(),
        "batches": CountingRows(),
        "seed": 3,
        "evaluate": draw,
        "sample": draw,
        "bytes_per_token": 3.0,
    }
    return train(**(plain | changes), config=config, folder=folder)


def main() -> int:
    """Train to the end, or until something stops the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--linger", type=float, default=0.0)
    parser.add_argument("--dropout", type=float, default=0.1)
    given = parser.parse_args()
    rows = SlowRows()
    rows.seconds = given.linger
    config = settings(steps=given.steps, checkpoint={"every_steps": given.every})
    try:
        run(given.folder, config, batches=rows, model=tiny_model(dropout=given.dropout))
    except HanlinError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
