"""The one training loop: batches in, weights out, whatever happens in between.

    for step in the steps that are left:
        outcome = stepper.run(step, batches.batch(step, rank, size))
        log, evaluate, sample and save, each at its interval

Everything that a step depends on is either in the checkpoint or a pure function of (seed, step,
rank): data, chance and learning rate are the latter. So the same call goes on where the last one
was stopped, by a signal or by anything else, and ends in the same weights and the same metrics.

    python -m hanlin.training.loop
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch import nn

from hanlin.config import TrainingConfig
from hanlin.objectives import Objective
from hanlin.records import hold_folder
from hanlin.training.allocator import keep_buffers
from hanlin.training.backup import Backup
from hanlin.training.chance import keep_chance
from hanlin.training.checkpoint import CheckpointStore
from hanlin.training.compilation import compiled
from hanlin.training.device import Placement, choose_placement
from hanlin.training.distributed import World, join_world
from hanlin.training.journal import Journal
from hanlin.training.level import LevelWatch
from hanlin.training.meter import Meter
from hanlin.training.progress import Display, Quiet
from hanlin.training.session import (
    Batches,
    Hook,
    Session,
    TrainingResult,
    list_machine,
    list_settings,
)
from hanlin.training.signals import StopSignal
from hanlin.training.step import Stepper, choose_microbatch

__all__ = ["train"]


def train(
    model: nn.Module,
    objective: Objective[Any],
    batches: Batches,
    config: TrainingConfig,
    *,
    folder: Path,
    seed: int,
    stage: str = "",
    fingerprints: Mapping[str, Any] | None = None,
    evaluate: Hook | None = None,
    sample: Hook | None = None,
    display: Display | None = None,
    device: str = "auto",
    bytes_per_token: float | None = None,
    metrics: Path | None = None,
    events: Path | None = None,
    inherit: Path | None = None,
    halt: int = 0,
) -> TrainingResult:
    """Train `model` in place, going on from the last whole checkpoint in `folder` if there is one.

    Args:
        model: weights in fp32; trained weights, in fp32 again, at the end.
        objective: what a step minimises.
        batches: the data.
        config: steps, optimiser, schedule, intervals.
        folder: holds `checkpoints/`, and the logs unless they have places of their own.
        seed: from which all chance of training is drawn.
        stage: name of the stage in metrics and events.
        fingerprints: what the result depends on besides `config` and `seed` (model, corpus,
            tokenizer), as JSON values; a checkpoint with others is refused.
        evaluate: called with the model in evaluation mode and the number of steps done, on the
            first process; what it returns goes into the metrics.
        sample: the same, for sample texts.
        display: shows progress.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        bytes_per_token: UTF-8 bytes a token of the training data, for bits per byte.
        metrics: file of metrics; `folder`/metrics.jsonl by default.
        events: file of events; `folder`/events.jsonl by default.
        inherit: `checkpoints/` of another training, whose optimiser a new one begins with.
        halt: stop after this step as at a signal, the state saved; 0 goes on to the end.

    Raises:
        StoppedError: a signal came, or `halt` was reached; the state is saved.
        RunError: the checkpoint belongs to other settings, or the folder cannot be used.
        CheckpointError: no checkpoint is whole, or the state could not be saved at a stop.
        HanlinError: too many steps in a row were skipped, or memory ran out.
    """
    shown = display or Quiet()
    with _surroundings(model, config, folder, device, shown) as around:
        journal = Journal(
            stage=stage,
            metrics=metrics or folder / "metrics.jsonl",
            events=events or folder / "events.jsonl",
            say=shown.say,
            active=around.world.first,
        )
        stepper, meter = _equip(model, objective, batches, config, around, seed, bytes_per_token)
        session = Session(
            config=config,
            batches=batches,
            stepper=stepper,
            meter=meter,
            store=_store(folder / "checkpoints", config, journal),
            journal=journal,
            display=shown,
            world=around.world,
            settings=list_settings(config, around.placement, seed, fingerprints or {}),
            machine=list_machine(around.placement, around.world, stepper.microbatch),
            evaluate=evaluate,
            sample=sample,
            inherit=inherit,
            halt=halt,
            level=LevelWatch(config.until) if config.until is not None else None,
        )
        session.restore()
        session.run(around.stop)
        return session.finish()


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What a call of the loop stands in."""

    world: World
    stop: StopSignal
    placement: Placement


@contextlib.contextmanager
def _surroundings(
    model: nn.Module, config: TrainingConfig, folder: Path, device: str, shown: Display
) -> Iterator[_Surroundings]:
    """Join the other processes, hold the folder, heed signals; leave all as it was afterwards."""
    allocator = keep_buffers()
    with contextlib.ExitStack() as stack:
        world = stack.enter_context(join_world())
        if world.first:
            stack.enter_context(hold_folder(folder / "checkpoints"))
        stack.enter_context(keep_chance())
        stop = stack.enter_context(StopSignal())
        stack.callback(shown.close)
        if config.compile:
            stack.enter_context(compiled(model))
        placement = choose_placement(device, config.precision, local_rank=world.local_rank)
        if world.first:
            shown.say(f"training on {placement}; {allocator}")
        yield _Surroundings(world, stop, placement)


def _equip(
    model: nn.Module,
    objective: Objective[Any],
    batches: Batches,
    config: TrainingConfig,
    around: _Surroundings,
    seed: int,
    bytes_per_token: float | None,
) -> tuple[Stepper, Meter]:
    """Make what does the steps and what counts them, for rows as long as the first batch's."""
    world, placement = around.world, around.placement
    num_rows, width = batches.batch(0, world.rank, world.size).shape
    microbatch = config.microbatch or choose_microbatch(model, num_rows, width - 1)
    return (
        Stepper(model, objective, config, placement, world, seed, microbatch),
        Meter(model, width - 1, placement, world, bytes_per_token),
    )


def _store(folder: Path, config: TrainingConfig, journal: Journal) -> CheckpointStore:
    backup = Backup(config.checkpoint.backup) if config.checkpoint.backup else None
    return CheckpointStore(folder, keep=config.checkpoint.keep, alarm=journal.alarm, backup=backup)


if __name__ == "__main__":
    import tempfile

    import numpy as np

    from hanlin.config import ModelConfig
    from hanlin.models import build_model
    from hanlin.objectives import NextToken
    from hanlin.training.progress import choose_display

    class Counting:
        """Rows that count upwards."""

        def batch(self, step: int, rank: int, world_size: int) -> NDArray[Any]:
            """Return eight rows."""
            starts = np.random.default_rng(step).integers(0, 32, (8, 1))
            return (starts + np.arange(17)) % 32

    shape = ModelConfig(vocab_size=32, hidden_size=32, num_layers=2, num_heads=2, context_length=16)
    print(
        train(
            build_model(shape, seed=1),
            NextToken(),
            Counting(),
            TrainingConfig(steps=60, batch_tokens=128),
            folder=Path(tempfile.mkdtemp()),
            seed=1,
            display=choose_display(),
        )
    )
