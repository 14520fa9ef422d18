"""One trial of a proof: an arm with a seed and a rate, as a run of its own over the run's corpus.

It lies in `runs/NAME/proofs/STAGE/ARM-sSEED[-rRATE]/` and takes corpus, tokenizer, shards, n-gram
baseline and finished stages from the run. A trial that is finished is not run again, and one that
was stopped goes on: it is a run like any other. Its checkpoints are removed once it is done.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanlin.config import Recipe, StageConfig
from hanlin.runs.folder import RunFolder
from hanlin.runs.proofs.base import Arm
from hanlin.runs.proofs.subject import Subject

__all__ = ["Measured", "Trial"]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a trial came to."""

    figures: Mapping[str, Any]
    """result.json of its last stage."""
    flops: float
    """Operations of all its stages, teachers, sampling and what was spent before among them."""
    tokens: int
    """Training tokens of all its stages."""


@dataclass(frozen=True)
class Trial:
    """An arm with one seed and one rate."""

    run: RunFolder
    recipe: Recipe
    """The run's recipe, with absolute paths."""
    stage: StageConfig
    """The stage of the run that the proof is about."""
    arm: Arm
    seed: int
    rate: float

    @property
    def folder(self) -> RunFolder:
        """Where it lies."""
        suffix = "" if len(self.arm.rates) == 1 else f"-r{self.rate:g}"
        place = self.run.proof(self.stage.name) / f"{self.arm.label}-s{self.seed}{suffix}"
        return RunFolder(place, shared=self.run.root)

    def as_recipe(self) -> Recipe:
        """Return the arm's stages as a recipe that starts from what the run has finished."""
        stages = [self._placed(stage) for stage in self.arm.stages]
        stages[-1] = _at_rate(stages[-1], self.rate)
        stages[-1] = stages[-1].model_copy(update={"watch": self._watched()})
        name = f"{self.recipe.name}.{self.stage.name}.{self.arm.label}"
        return self.recipe.model_copy(
            update={"name": name, "seed": self.seed, "stages": tuple(stages)}
        )

    @property
    def is_finished(self) -> bool:
        """Whether its last stage has a result."""
        return self._result(len(self.arm.stages)).exists()

    def measured(self) -> Measured:
        """Return what it came to."""
        results = [
            json.loads(self._result(number).read_text(encoding="utf-8"))
            for number in range(1, len(self.arm.stages) + 1)
        ]
        return Measured(
            results[-1],
            self.arm.spent + sum(float(result.get("flops", 0)) for result in results),
            sum(int(result.get("tokens", 0)) for result in results),
        )

    def tidy(self) -> None:
        """Remove the checkpoints of a finished trial."""
        for place in self.folder.root.glob("stages/*/checkpoints"):
            shutil.rmtree(place)

    def _result(self, number: int) -> Path:
        return self.folder.stage(number, self.arm.stages[number - 1].name) / "result.json"

    def _watched(self) -> tuple[str, ...]:
        """Return the parts that each arm is measured on by itself: old ones, and the stage's own.

        A stage before which no other text was read has nothing to forget.
        """
        earlier = Subject(self.recipe, self.stage, self.run).earlier_parts
        own = self.recipe.parts_of(self.stage)
        return tuple(dict.fromkeys([*earlier, *own, *self.stage.watch])) if earlier else ()

    def _placed(self, stage: StageConfig) -> StageConfig:
        """Point at the run's releases, name the parts that are meant, and back nothing up.

        The level that a core must have reached was judged in the run, whose evaluations it needs.
        """
        training = stage.training
        if training is not None:
            checkpoint = training.checkpoint.model_copy(update={"backup": ""})
            training = training.model_copy(update={"checkpoint": checkpoint})
        return stage.model_copy(
            update={
                "from_": self._release(stage.from_),
                "teachers": tuple(self._release(name) for name in stage.teachers),
                "parts": self.recipe.parts_of(stage),
                "training": training,
                "expand": stage.expand and stage.expand.model_copy(update={"trigger": None}),
            }
        )

    def _release(self, name: str) -> str:
        if name in [stage.name for stage in self.arm.stages]:
            return name
        for number, other in enumerate(self.recipe.stages, start=1):
            if other.name == name:
                return str(self.run.stage(number, name) / "model")
        return name


def _at_rate(stage: StageConfig, rate: float) -> StageConfig:
    if rate == 1.0 or stage.training is None:
        return stage
    ours = stage.training.optimizer
    optimizer = ours.model_copy(
        update={
            "learning_rate": ours.learning_rate * rate,
            "muon_learning_rate": ours.muon_learning_rate * rate,
        }
    )
    training = stage.training.model_copy(update={"optimizer": optimizer})
    return stage.model_copy(update={"training": training})
