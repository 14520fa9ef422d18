"""What a proof is about: a stage that a run has finished, with what its releases are and cost.

    subject = Subject(recipe, stage, RunFolder(Path("runs/demo")))
    subject.flops_before("teacher")     # of the teacher, its own teachers, and so on

Operations are those that the run's results say. A release from elsewhere has no such result, so
that nothing can be compared with it at equal total compute; it is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanlin.config import ModelConfig, Recipe, StageConfig
from hanlin.errors import RecipeError
from hanlin.models import read_config
from hanlin.runs.folder import RunFolder

__all__ = ["Subject", "anew", "with_steps"]


@dataclass(frozen=True)
class Subject:
    """A finished stage of a run."""

    recipe: Recipe
    """The run's recipe, with absolute paths."""
    stage: StageConfig
    folder: RunFolder

    @property
    def result(self) -> Mapping[str, Any]:
        """What the stage came to in the run."""
        return self.result_of(self.stage.name)

    @property
    def step_flops(self) -> float:
        """Operations of one of its steps, without teachers and sampling."""
        result = self.result
        return float((result["flops"] - result.get("extra_flops", 0)) / result["steps"])

    @property
    def flops(self) -> float:
        """Operations of the stage itself."""
        return float(self.result["flops"])

    @property
    def earlier_parts(self) -> tuple[str, ...]:
        """The parts that it replays or that stages before it read, without its own."""
        own = self.recipe.parts_of(self.stage)
        seen = [*(self.stage.replay.parts if self.stage.replay else ())]
        for stage in self.line():
            seen += self.recipe.parts_of(stage)
        return tuple(part for part in dict.fromkeys(seen) if part not in own)

    def line(self) -> Iterator[StageConfig]:
        """Yield the stages that it starts from, the nearest first."""
        stage = self.stage_named(self.stage.from_)
        while stage is not None:
            yield stage
            stage = self.stage_named(stage.from_)

    def stage_named(self, name: str) -> StageConfig | None:
        """Return a stage of the run; None where the name is a folder's, or nobody's."""
        return next((stage for stage in self.recipe.stages if stage.name == name), None)

    def result_of(self, name: str) -> Mapping[str, Any]:
        """Return what a stage of the run came to."""
        path = self.folder.stage(self._number(name), name) / "result.json"
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return result

    def shape(self, name: str = "") -> ModelConfig:
        """Return the shape of a release: a stage's, a folder's, or that of this stage."""
        name = name or self.stage.name
        if self.stage_named(name) is None:
            return read_config(Path(name))
        return read_config(self.folder.stage(self._number(name), name) / "model")

    def flops_before(self, *names: str) -> float:
        """Return the operations of stages and of all that these start from or learn from.

        Raises:
            RecipeError: one is a release from elsewhere.
        """
        return sum(float(self.result_of(name).get("flops", 0)) for name in self._needed(names))

    def _needed(self, names: Iterable[str]) -> list[str]:
        found: dict[str, None] = {}
        waiting = [name for name in names if name]
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            stage = self.stage_named(name)
            if stage is None:
                raise RecipeError(
                    f"The stage {self.stage.name!r} learns from {name!r}, which no stage of this "
                    "recipe made: what it cost is unknown, so that nothing can be compared at "
                    "equal total compute. Train it as a stage of the recipe."
                )
            found[name] = None
            waiting += [other for other in (stage.from_, *stage.teachers) if other]
        return list(found)

    def _number(self, name: str) -> int:
        return [stage.name for stage in self.recipe.stages].index(name) + 1


def with_steps(stage: StageConfig, steps: float, **changes: Any) -> StageConfig:
    """Return a stage that takes so many steps, one at least, with other fields changed."""
    length = {"steps": max(1, round(steps)), "tokens": 0, "until": None}
    training = stage.learning.model_copy(update=length)
    return stage.model_copy(update={"training": training, **changes})


def anew(stage: StageConfig, steps: float, **changes: Any) -> StageConfig:
    """Return a stage of plain next-token prediction that starts from nothing."""
    plain = with_steps(stage, steps)
    training = plain.learning.model_copy(update={"inherit_optimizer": False})
    nothing = {"kind": "language", "from_": "", "teachers": (), "replay": None}
    tables = {"distil": None, "language": None, "expand": None}
    return plain.model_copy(update={"training": training, **nothing, **tables, **changes})
