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
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import nn

from hanlin.config import TrainingConfig
from hanlin.errors import CheckpointError, HanlinError, StoppedError
from hanlin.objectives import Objective
from hanlin.records import hold_folder
from hanlin.training.allocator import keep_buffers
from hanlin.training.backup import Backup
from hanlin.training.chance import keep_chance
from hanlin.training.checkpoint import CheckpointStore, Snapshot, read_snapshot
from hanlin.training.device import Placement, choose_placement
from hanlin.training.distributed import World, join_world
from hanlin.training.fingerprints import check_fingerprints, list_changes
from hanlin.training.journal import Journal
from hanlin.training.meter import Meter
from hanlin.training.progress import Display, Quiet
from hanlin.training.signals import StopSignal
from hanlin.training.step import Outcome, Stepper, choose_microbatch

__all__ = ["Batches", "TrainingResult", "train"]

Hook = Callable[[nn.Module, int], dict[str, Any]]


class Batches(Protocol):
    """Training data in order."""

    def batch(self, step: int, rank: int, world_size: int) -> NDArray[Any]:
        """Return this process's rows (R, T + 1) of token ids for a step from 0: a pure function."""


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What training came to."""

    steps: int
    tokens: int
    """Tokens trained on."""
    loss: float | None
    """Nats a token over the last logged interval."""
    evaluation: dict[str, Any]
    """What `evaluate` returned last."""
    skipped: int
    """Steps that the guards refused."""
    resumed_from: int
    """The step that this call went on from; 0 if it began anew."""
    seconds: float
    """Time in training steps, over all calls."""
    checkpoint: Path | None
    """The last checkpoint; None if it could not be saved."""


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

    Raises:
        StoppedError: a signal came; the state is saved.
        RunError: the checkpoint belongs to other settings, or the folder cannot be used.
        CheckpointError: no checkpoint is whole, or the state could not be saved at a stop.
        HanlinError: too many steps in a row were skipped, or memory ran out.
    """
    allocator = keep_buffers()
    shown = display or Quiet()
    with contextlib.ExitStack() as stack:
        world = stack.enter_context(join_world())
        if world.first:
            stack.enter_context(hold_folder(folder / "checkpoints"))
        stack.enter_context(keep_chance())
        stop = stack.enter_context(StopSignal())
        stack.callback(shown.close)
        placement = choose_placement(device, config.precision, local_rank=world.local_rank)
        if world.first:
            shown.say(f"training on {placement}; {allocator}")
        journal = Journal(
            stage=stage,
            metrics=metrics or folder / "metrics.jsonl",
            events=events or folder / "events.jsonl",
            say=shown.say,
            active=world.first,
        )
        first = batches.batch(0, world.rank, world.size)
        size = config.microbatch or choose_microbatch(model, first.shape[0], first.shape[1] - 1)
        loop = _Loop(
            config=config,
            batches=batches,
            stepper=Stepper(
                model,
                objective,
                config,
                placement=placement,
                world=world,
                seed=seed,
                microbatch=size,
            ),
            meter=Meter(
                model,
                first.shape[1] - 1,
                placement=placement,
                world=world,
                bytes_per_token=bytes_per_token,
            ),
            store=_store(folder / "checkpoints", config, journal),
            journal=journal,
            display=shown,
            world=world,
            settings=_settings(config, placement, seed, fingerprints or {}),
            machine=_machine(placement, world, size),
            evaluate=evaluate,
            sample=sample,
        )
        loop.restore()
        loop.run(stop)
        return loop.finish()


@dataclass
class _Loop:
    """The state of one call of `train`."""

    config: TrainingConfig
    batches: Batches
    stepper: Stepper
    meter: Meter
    store: CheckpointStore
    journal: Journal
    display: Display
    world: World
    settings: dict[str, Any]
    """What the result depends on: a checkpoint with others is refused."""
    machine: dict[str, Any]
    """What only the last bits depend on: a change is said."""
    evaluate: Hook | None
    sample: Hook | None
    step: int = 0
    resumed_from: int = 0
    evaluation: dict[str, Any] = field(default_factory=dict)
    checkpoint: Path | None = None

    def restore(self) -> None:
        """Take back the newest whole checkpoint, if there is one that fits."""
        path = self.world.on_first(self.store.find)
        if path is None:
            self.journal.rewind(0)
            self.journal.note("started", num_steps=self.config.num_steps, machine=self.machine)
            return
        snapshot = read_snapshot(path)
        values = snapshot.values
        check_fingerprints(values["settings"], self.settings, str(path))
        for change in list_changes(values["machine"], self.machine):
            self.journal.alarm(f"Since the checkpoint {change}; the last bits may differ.")
        self.stepper.weights.load_state_dict(snapshot.weights)
        self.stepper.load_state_dict(snapshot.tensors, values["stepper"])
        self.meter.load_state_dict(values["meter"])
        self.evaluation = values["evaluation"]
        self.step = self.resumed_from = snapshot.step
        self.checkpoint = path
        self.journal.rewind(snapshot.step)
        self.journal.note("resumed", step=snapshot.step, machine=self.machine)
        if self.world.first:
            self.display.say(f"going on from step {snapshot.step} of {self.config.num_steps}")

    def run(self, stop: StopSignal) -> None:
        """Do the steps that are left."""
        self.stepper.model.train()
        while self.step < self.config.num_steps:
            rows = self.batches.batch(self.step, self.world.rank, self.world.size)
            with self.meter.timed():
                outcome = self.stepper.run(self.step, rows, stop=bool(stop.name))
            self.step += 1
            self.meter.add(outcome)
            self._after(outcome)
            if outcome.stop and self.step < self.config.num_steps:
                self._stop(stop.name)

    def finish(self) -> TrainingResult:
        """Give the model its fp32 weights back and say what came of it."""
        self.stepper.weights.release()
        self.stepper.model.eval()
        self.journal.note("finished", step=self.step)
        return TrainingResult(
            steps=self.step,
            tokens=self.meter.tokens,
            loss=self.meter.loss,
            evaluation=self.evaluation,
            skipped=self.stepper.guard.skipped,
            resumed_from=self.resumed_from,
            seconds=self.meter.seconds,
            checkpoint=self.checkpoint,
        )

    def _after(self, outcome: Outcome) -> None:
        """Do what is due after a step: the last step is due for everything."""
        last = self.step == self.config.num_steps
        if outcome.fault:
            self._skipped(outcome.fault)
        if last or self.step % self.config.log_every == 0:
            self._log(outcome)
        if self.evaluate and (last or self.step % self.config.eval_every == 0):
            self.evaluation = self._call(self.evaluate, "evaluation")
        every = self.config.sample_every
        if self.sample and every and (last or self.step % every == 0):
            self._call(self.sample, "sample")
        if last or self.step % self.config.checkpoint.every_steps == 0:
            self._save()

    def _skipped(self, fault: str) -> None:
        self.journal.alarm(f"Step {self.step} was skipped: {fault}.")
        try:
            self.stepper.guard.check(self.step, fault)
        except HanlinError:
            self._save()
            raise

    def _log(self, outcome: Outcome) -> None:
        skipped = self.stepper.guard.skipped
        fields, clock = self.meter.report(self.config, self.step, outcome, skipped)
        self.journal.measure(self.step, "train", fields, clock)
        if self.world.first:
            self.display.show(self.meter.status(self.config, self.step))

    def _call(self, hook: Hook, kind: str) -> dict[str, Any]:
        """Call a hook on the first process, in evaluation mode, and keep what it returns."""
        model, started = self.stepper.model, time.perf_counter()
        model.eval()
        found = self.world.on_first(lambda: hook(model, self.step))
        model.train()
        seconds = round(time.perf_counter() - started, 3)
        self.journal.measure(self.step, kind, {kind: found}, {"seconds": seconds})
        return found

    def _save(self) -> None:
        tensors, values = self.stepper.state_dict()
        snapshot = Snapshot(
            step=self.step,
            weights=self.stepper.weights.state_dict(),
            tensors=tensors,
            values={
                "settings": self.settings,
                "machine": self.machine,
                "stepper": values,
                "meter": self.meter.state_dict(),
                "evaluation": self.evaluation,
            },
        )
        self.checkpoint = self.world.on_first(lambda: self.store.save(snapshot))

    def _stop(self, signal_name: str) -> None:
        self._save()
        self.journal.note("stopped", step=self.step, signal=signal_name)
        if self.checkpoint is None:
            raise CheckpointError(
                f"Training was stopped by {signal_name or 'a signal'} at step {self.step}, and the "
                "state could not be saved; the same command goes on from the last checkpoint."
            )
        raise StoppedError(
            f"Training was stopped by {signal_name or 'a signal'} after step {self.step} of "
            f"{self.config.num_steps}; the state is saved, and the same command goes on from there."
        )


def _store(folder: Path, config: TrainingConfig, journal: Journal) -> CheckpointStore:
    backup = Backup(config.checkpoint.backup) if config.checkpoint.backup else None
    return CheckpointStore(folder, keep=config.checkpoint.keep, alarm=journal.alarm, backup=backup)


def _settings(
    config: TrainingConfig, placement: Placement, seed: int, fingerprints: Mapping[str, Any]
) -> dict[str, Any]:
    learning = config.model_dump(
        mode="json", include={"steps", "tokens", "batch_tokens", "optimizer", "schedule"}
    )
    precision = str(placement.dtype).removeprefix("torch.")
    return {**fingerprints, "training": {**learning, "precision": precision}, "seed": seed}


def _machine(placement: Placement, world: World, microbatch: int) -> dict[str, Any]:
    return {
        "device": placement.device.type,
        "threads": placement.threads,
        "processes": world.size,
        "microbatch": microbatch,
        "torch": torch.__version__,
    }
