"""The checkpoint stage: what was saved is backed up, restored elsewhere, and trained on from there.

    1. the checkpoints of the stage that it starts `from` (or of the one that learnt its weights)
       are copied to a second place
    2. they are fetched into another folder, and each file's SHA-256 is compared
    3. one further training step is done from the original and one from the restored state, by the
       very loop and objective of that stage; every tensor must be the same, bit for bit

Both comparisons have a control that must fail: a file with one byte changed, and a state with one
weight changed by a thousandth. The release is the one that it starts from, unchanged.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hanlin.config import StageConfig
from hanlin.errors import CheckpointError, StoppedError
from hanlin.models import flops_per_token, load_release
from hanlin.records import LedgerEntry, atomic_directory, sha256_file
from hanlin.stages.context import StageContext, StageResult
from hanlin.stages.states import compare_states
from hanlin.training import (
    Backup,
    CheckpointStore,
    Quiet,
    find_fault,
    join_world,
    name_of,
    read_snapshot,
)

__all__ = ["run_checkpoint"]

RunStage = Callable[[StageContext], StageResult]
_COPIES = ("original", "restored", "altered")


def run_checkpoint(context: StageContext, run_stage: RunStage) -> StageResult:
    """Back up, restore, compare, and train one step on from both; `run_stage` runs a stage."""
    assert context.start is not None, "the recipe was checked: a checkpoint stage has `from`"
    proof = _Proof(context, run_stage)
    with join_world() as world:
        figures = world.on_first(proof.restore)
        for name in _COPIES:
            proof.step_further(name)
        figures, claims = world.on_first(lambda: proof.conclude(figures))
    return StageResult(model=load_release(context.start), figures=figures, claims=claims)


@dataclass(frozen=True)
class _Proof:
    context: StageContext
    run_stage: RunStage

    @cached_property
    def source(self) -> StageConfig:
        """The stage whose checkpoints are proven."""
        found = self.context.recipe.learnt_in(self.context.stage.from_)
        assert found is not None, "the recipe was checked: a stage learnt what it starts from"
        return found

    @property
    def origin(self) -> Path:
        """Its folder."""
        return self._release(self.source.name).parent

    @property
    def scratch(self) -> Path:
        """Where the copies live while they are compared."""
        return self.context.folder / "restored"

    @cached_property
    def checkpoints(self) -> list[Path]:
        """The checkpoints that are there, oldest first."""
        return CheckpointStore(self.origin / "checkpoints", keep=2, alarm=self.context.say).list()

    @cached_property
    def before(self) -> int:
        """The step of the newest checkpoint that is not the last step's."""
        steps = [int(path.name.removeprefix("step-")) for path in self.checkpoints]
        found = [step for step in steps if step < self.source.learning.num_steps]
        if not found:
            raise CheckpointError(
                f"{self.origin / 'checkpoints'} holds no checkpoint from before the last step, so "
                "that no further step can be tried. Run the stage again in a new run."
            )
        return found[-1]

    def restore(self) -> dict[str, Any]:
        """Copy the checkpoints away and back, and compare them file by file."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        step, backup = self.before, self._backup()
        began = time.monotonic()
        backup.mirror(self.checkpoints)
        middle = time.monotonic()
        for path in self.checkpoints:
            target = self.scratch / "restored" / "checkpoints" / path.name
            with atomic_directory(target) as temporary:
                backup.fetch(path.name, temporary)
        ended = time.monotonic()
        files = [file for path in self.checkpoints for file in sorted(path.iterdir())]
        differing = [file for file in files if not self._same(file)]
        self._copy_for_the_step(step)
        self.context.say(f"{len(files)} files backed up to {backup.url} and restored")
        return {
            "place": backup.url,
            "checkpoints": [path.name for path in self.checkpoints],
            "files": len(files),
            "bytes": sum(file.stat().st_size for file in files),
            "files_that_differ": len(differing),
            "damage_is_noticed": self._notices_damage(step),
            "backup_seconds": middle - began,
            "restore_seconds": ended - middle,
        }

    def step_further(self, name: str) -> None:
        """Do one training step from a copy, through the loop and the objective of its stage."""
        place = self.scratch / name
        inputs = json.loads((self.origin / "result.json").read_text(encoding="utf-8"))["inputs"]
        context = dataclasses.replace(
            self.context,
            stage=_quiet(self.source),
            folder=place,
            start=self._release(self.source.from_) if self.source.from_ else None,
            teachers=[self._release(teacher) for teacher in self.source.teachers],
            parts=self.context.recipe.parts_of(self.source),
            metrics=place / "metrics.jsonl",
            events=place / "events.jsonl",
            fingerprints=inputs,
            say=lambda line: None,
            display=Quiet(),
            halt=self.before + 1,
        )
        with contextlib.suppress(StoppedError):
            self.run_stage(context)
        if not (place / "checkpoints" / name_of(self.before + 1)).is_dir():
            # A signal of the user's came before the step was done.
            raise StoppedError("The proof of the checkpoints was stopped; the same command goes on")

    def conclude(self, figures: dict[str, Any]) -> tuple[dict[str, Any], list[LedgerEntry]]:
        """Compare what the steps came to, write the release, and clear the copies away."""
        step = name_of(self.before + 1)
        original, restored, altered = (self.scratch / n / "checkpoints" / step for n in _COPIES)
        compared, differing = compare_states(original, restored)
        _, differing_altered = compare_states(original, altered)
        with atomic_directory(self.context.folder / "model") as temporary:
            assert self.context.start is not None
            shutil.copytree(self.context.start, temporary, dirs_exist_ok=True)
        shutil.rmtree(self.scratch)
        batch = self.source.learning.batch_tokens
        complete = {
            **figures,
            "step": self.before,
            "tensors": compared,
            "tensors_that_differ": differing,
            "tensors_that_differ_where_one_weight_was_changed": differing_altered,
            "flops": len(_COPIES) * batch * flops_per_token(self.context.shape),
        }
        return complete, _claims(complete)

    def _backup(self) -> Backup:
        settings = self.context.stage.checkpoint
        place = settings.place if settings else ""
        if not place:
            return Backup(str(self.context.folder / "backup"))
        return Backup(f"{place.rstrip('/')}/{self.context.recipe.name}/{self.source.name}")

    def _same(self, file: Path) -> bool:
        copy = self.scratch / "restored" / "checkpoints" / file.parent.name / file.name
        return copy.is_file() and sha256_file(copy) == sha256_file(file)

    def _copy_for_the_step(self, step: int) -> None:
        """Lay out the state of one step three times: as it was, as restored, and altered."""
        name = name_of(step)
        for path in self.checkpoints:
            if path.name != name:
                shutil.rmtree(self.scratch / "restored" / "checkpoints" / path.name)
        shutil.copytree(
            self.origin / "checkpoints" / name, self.scratch / "original" / "checkpoints" / name
        )
        snapshot = read_snapshot(self.origin / "checkpoints" / name)
        first = min(snapshot.weights)
        weight = snapshot.weights[first].clone()
        weight.view(-1)[0] += 1e-3 * max(1.0, float(weight.view(-1)[0].abs()))
        altered = dataclasses.replace(snapshot, weights={**snapshot.weights, first: weight})
        folder = self.scratch / "altered" / "checkpoints"
        CheckpointStore(folder, keep=2, alarm=self.context.say).save(altered)

    def _notices_damage(self, step: int) -> bool:
        """Whether a copy with one byte changed is seen to be damaged."""
        damaged = self.scratch / "damaged"
        shutil.copytree(self.origin / "checkpoints" / name_of(step), damaged)
        file = damaged / "model.safetensors"
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)
        fault = find_fault(damaged)
        shutil.rmtree(damaged)
        return "model.safetensors" in fault

    def _release(self, name: str) -> Path:
        stages = self.context.recipe.stages
        for number, stage in enumerate(stages, start=1):
            if stage.name == name:
                return self.context.folder.parent / f"{number}-{name}" / "model"
        return Path(name)


def _quiet(stage: StageConfig) -> StageConfig:
    """Return a stage that does not evaluate, sample or back up on the way."""
    training = stage.learning
    checkpoint = training.checkpoint.model_copy(update={"backup": ""})
    update = {"sample_every": 0, "eval_every": training.num_steps + 1, "checkpoint": checkpoint}
    return stage.model_copy(update={"training": training.model_copy(update=update)})


def _claims(figures: dict[str, Any]) -> list[LedgerEntry]:
    restored = not figures["files_that_differ"] and figures["damage_is_noticed"]
    altered = figures["tensors_that_differ_where_one_weight_was_changed"]
    same = not figures["tensors_that_differ"] and altered > 0
    return [
        LedgerEntry(
            claim="Checkpoints come back from the second place byte for byte",
            metric="files_that_differ",
            control="a copy with one byte changed, which must be noticed",
            control_values=(float(figures["damage_is_noticed"]),),
            values=(float(figures["files_that_differ"]),),
            threshold="no file differs, and the control does",
            verdict="held" if restored else "failed",
        ),
        LedgerEntry(
            claim="One further step from the restored state equals one from the original, "
            "bit for bit",
            metric="tensors_that_differ",
            control="the same step with one weight changed by a thousandth, which must differ",
            control_values=(float(altered),),
            values=(float(figures["tensors_that_differ"]),),
            threshold="no tensor differs, and some of the control's do",
            verdict="held" if same else "failed",
        ),
    ]
