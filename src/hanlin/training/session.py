"""One call of the loop: what is due after each step, and how the state is saved and taken back."""

from __future__ import annotations

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
from hanlin.training.checkpoint import CheckpointStore, Snapshot, name_of, read_snapshot
from hanlin.training.device import Placement
from hanlin.training.distributed import World
from hanlin.training.fingerprints import check_fingerprints, list_changes
from hanlin.training.inheritance import inherit_state
from hanlin.training.journal import Journal
from hanlin.training.level import LevelWatch
from hanlin.training.meter import Meter
from hanlin.training.progress import Display
from hanlin.training.signals import StopSignal
from hanlin.training.step import Outcome, Stepper

__all__ = ["Batches", "Hook", "Session", "TrainingResult", "list_machine", "list_settings"]

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
    flops: int
    """Operations of these tokens, as `step_flops_per_token` counts them."""
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


@dataclass
class Session:
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
    inherit: Path | None = None
    """Checkpoints of another stage whose optimiser this one begins with."""
    halt: int = 0
    """The step after which it stops as at a signal; 0 for none."""
    step: int = 0
    resumed_from: int = 0
    evaluation: dict[str, Any] = field(default_factory=dict)
    checkpoint: Path | None = None
    level: LevelWatch | None = None
    """What ends training before its last step."""

    @property
    def _done(self) -> bool:
        reached = self.level is not None and self.level.done
        return reached or self.step == self.config.num_steps

    def restore(self) -> None:
        """Take back the newest whole checkpoint, if there is one that fits."""
        path = self.world.on_first(self.store.find)
        if path is None:
            self.journal.rewind(0)
            if self.inherit is not None:
                inherit_state(self.stepper.optimizer, self.inherit)
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
        if self.level is not None:
            self.level.in_a_row = values["level"]
        self.step = self.resumed_from = snapshot.step
        self.checkpoint = path
        self.journal.rewind(snapshot.step)
        self.journal.note("resumed", step=snapshot.step, machine=self.machine)
        if self.world.first:
            self.display.say(f"going on from step {snapshot.step} of {self.config.num_steps}")

    def run(self, stop: StopSignal) -> None:
        """Do the steps that are left."""
        self.stepper.model.train()
        while not self._done:
            rows = self.batches.batch(self.step, self.world.rank, self.world.size)
            with self.meter.timed():
                outcome = self.stepper.run(self.step, rows, stop=bool(stop.name))
            self.step += 1
            self.meter.add(outcome)
            self._after(outcome)
            # One process alone need not wait for the others to hear of the signal.
            stopping = outcome.stop or (self.world.size == 1 and bool(stop.name))
            halting = self.step == self.halt
            if (stopping or halting) and not self._done:
                self._stop(stop.name or ("its caller" if halting else ""))

    def finish(self) -> TrainingResult:
        """Give the model its fp32 weights back and say what came of it."""
        self.stepper.weights.release()
        self.stepper.model.eval()
        self.journal.note("finished", step=self.step)
        return TrainingResult(
            steps=self.step,
            tokens=self.meter.tokens,
            flops=self.meter.flops,
            loss=self.meter.loss,
            evaluation=self.evaluation,
            skipped=self.stepper.guard.skipped,
            resumed_from=self.resumed_from,
            seconds=self.meter.seconds,
            checkpoint=self.checkpoint,
        )

    def _after(self, outcome: Outcome) -> None:
        """Do what is due after a step: the last step is due for everything."""
        if outcome.fault:
            self._skipped(outcome.fault)
        logged = self._done or self.step % self.config.log_every == 0
        if logged:
            self._log(outcome)
        if self.evaluate and (self._done or self.step % self.config.eval_every == 0):
            self.evaluation = self._call(self.evaluate, "evaluation")
            self._watch()
        last = self._done
        if last and not logged:
            self._log(outcome)
        every = self.config.sample_every
        if self.sample and every and (last or self.step % every == 0):
            self._call(self.sample, "sample")
        if last or self.step % self.config.checkpoint.every_steps == 0:
            self._save()

    def _watch(self) -> None:
        if self.level is None:
            return
        self.level.see(self.evaluation)
        if self.level.done:
            self.journal.note("level reached", step=self.step, **self.level.config.model_dump())

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
        if self.checkpoint is not None and self.checkpoint.name == name_of(self.step):
            return
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
                **({"level": self.level.in_a_row} if self.level is not None else {}),
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


def list_settings(
    config: TrainingConfig, placement: Placement, seed: int, fingerprints: Mapping[str, Any]
) -> dict[str, Any]:
    """Return everything that the result depends on, as JSON values."""
    learning = config.model_dump(
        mode="json", include={"steps", "tokens", "batch_tokens", "optimizer", "schedule"}
    )
    if config.until is not None:  # then the evaluations say where training ends
        learning |= config.model_dump(mode="json", include={"until", "eval_every", "eval_tokens"})
    precision = str(placement.dtype).removeprefix("torch.")
    return {**fingerprints, "training": {**learning, "precision": precision}, "seed": seed}


def list_machine(placement: Placement, world: World, microbatch: int) -> dict[str, Any]:
    """Return what the last bits of the result depend on, as JSON values."""
    return {
        "device": placement.device.type,
        "threads": placement.threads,
        "processes": world.size,
        "microbatch": microbatch,
        "torch": torch.__version__,
    }
