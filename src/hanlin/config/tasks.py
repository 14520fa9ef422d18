"""Which labelled tasks a task stage teaches, and how they share the rows."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from hanlin.config._strict import Strict
from hanlin.config.corpus import WorldConfig

__all__ = ["TaskConfig", "TaskStageConfig"]


class TaskConfig(Strict):
    """One task: what it is called, and where its examples come from."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    """`dialogue`, `summarize`, `translate`, `classify`, or the name of a task in `file`."""
    path: str = ""
    """A file of examples, json or jsonl (packed or not), relative to the recipe's folder."""
    world: WorldConfig | None = None
    """The toy world in place of a path: which stories the examples are made from."""
    file: str = ""
    """A Python file of your own that defines the task as `TASK`; it is run, so trust it."""
    on_error: Literal["refuse", "skip"] = "refuse"
    """What a record of `path` that cannot be used does: it stops the run before anything is
    learnt, or it is left out, which is counted and reported."""
    weight: float = Field(default=1.0, gt=0)
    """How often it is seen, relative to what its size and the temperature give it."""
    cap: int = Field(default=65_536, ge=1)
    """Examples that count at most when shares are computed; all of them are read."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if bool(self.path) == (self.world is not None):
            raise ValueError(
                f"task {self.name!r} has either a path or a world, such as world = {{ stories = "
                "2000 }"
            )
        return self


class TaskStageConfig(Strict):
    """Several tasks taught to one model."""

    tasks: tuple[TaskConfig, ...] = Field(min_length=1)
    """The tasks."""
    temperature: float = Field(default=2.0, ge=1)
    """T of the shares min(n, cap)^(1/T): 1 is proportional, more evens the tasks out."""
    replay: float = Field(default=0.2, ge=0, lt=1)
    """Share of the rows that are plain text of the stage's parts, against forgetting."""
    method: Literal["full", "lora"] = "full"
    """All weights learn, or low-rank corrections, which are merged at the end."""
    rank: int = Field(default=16, ge=1)
    """`lora`: the rank of a correction."""
    alpha: float = Field(default=32.0, gt=0)
    """`lora`: a correction is scaled by alpha / rank."""
    held_out: int = Field(default=100, ge=1)
    """Examples of a task and language that are kept apart, as far as there are so many, and on
    which it is measured before and after; a file gives at most a tenth."""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [task.name for task in self.tasks]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two tasks are named {name!r}; join their files")
        return self
