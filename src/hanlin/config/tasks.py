"""Which labelled tasks a task stage teaches, and how they share the rows."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from hanlin.config._strict import Strict
from hanlin.config.adversarial import AdversarialConfig
from hanlin.config.corpus import WorldConfig
from hanlin.config.preference import PreferenceConfig

__all__ = ["HeadConfig", "TaskConfig", "TaskStageConfig"]


class HeadConfig(Strict):
    """New output nodes that say a text's label, in place of a label that is written out."""

    pool: Literal["mean", "last"] = "mean"
    """What of the hidden states is read: their mean over the text, or that of its last token."""
    layers: int = Field(default=0, ge=0, le=8)
    """Further layers between the decoder and the output nodes."""
    kind: Literal["mlp", "blocks"] = "mlp"
    """What a further layer is: a layer of an MLP behind the pooling, or a block of the decoder's
    own kind before it."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the pooled values that are left out while learning."""
    smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Label smoothing: this share of each target is spread over all labels."""
    balance: bool = False
    """Whether a label counts the more the rarer it is: by n / (K n_k) for K labels."""
    counts: float = Field(default=10.0, gt=0)
    """Tokens that one label counts as beside the targets of other tasks and of plain text."""
    label: str = Field(default="label", min_length=1)
    """The field of a record that holds the label; it may be a whole number."""
    calibration: int = Field(default=500, ge=2)
    """Examples of a language that are kept apart to fit the temperature, at most a tenth."""


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
    learnt, or it is left out, which is counted and reported. To a head, a label that training
    never shows is such an error."""
    head: HeadConfig | None = None
    """Classification by output nodes of its own; `name` is then the head's, any that you like."""
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
        if self.head is not None and self.file:
            raise ValueError(
                f"task {self.name!r} has a head and a file; a head classifies, and the task of a "
                "file writes. Leave one of them out"
            )
        return self


class TaskStageConfig(Strict):
    """Several tasks taught to one model, or pairs of replies of which one is preferred."""

    tasks: tuple[TaskConfig, ...] = ()
    """The tasks."""
    preference: PreferenceConfig | None = None
    """Pairs of replies in place of tasks; `temperature` and `replay` have no meaning then."""
    temperature: float = Field(default=2.0, ge=1)
    """T of the shares min(n, cap)^(1/T): 1 is proportional, more evens the tasks out."""
    replay: float = Field(default=0.2, ge=0, lt=1)
    """Share of the rows that are plain text of the stage's parts, against forgetting."""
    method: Literal["full", "lora", "frozen"] = "full"
    """All weights learn; or low-rank corrections, which are merged at the end; or, of tasks with
    a `head` alone, nothing but their heads."""
    rank: int = Field(default=16, ge=1)
    """`lora`: the rank of a correction."""
    alpha: float = Field(default=32.0, gt=0)
    """`lora`: a correction is scaled by alpha / rank."""
    held_out: int = Field(default=100, ge=1)
    """Examples of a task and language that are kept apart, as far as there are so many, and on
    which it is measured before and after; a file gives at most a tenth."""
    adversarial: AdversarialConfig | None = None
    """Attacks on the current model that it learns to withstand; without it, none."""

    @model_validator(mode="after")
    def _teaches_one_thing(self) -> Self:
        if bool(self.tasks) == (self.preference is not None):
            raise ValueError(
                "a task stage teaches either tasks, named in [[stages.task.tasks]], or "
                "preferences, whose pairs [stages.task.preference] names"
            )
        given = self.model_fields_set & {"temperature", "replay"}
        if self.preference is not None and given:
            raise ValueError(f"pairs are not mixed with other rows; leave out {sorted(given)}")
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [task.name for task in self.tasks]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two tasks are named {name!r}; join their files")
        return self

    @model_validator(mode="after")
    def _frozen_fits(self) -> Self:
        if self.method != "frozen":
            return self
        writing = [task.name for task in self.tasks if task.head is None]
        if writing:
            raise ValueError(
                f'method = "frozen" teaches heads alone, and the task {writing[0]!r} has none; '
                'give it a head, or take method = "full" or "lora"'
            )
        if self.replay and "replay" in self.model_fields_set:
            raise ValueError(
                f'method = "frozen" forgets nothing, and replay = {self.replay:g} would change '
                "nothing; leave it out"
            )
        return self

    @property
    def replayed(self) -> float:
        """Share of the rows that are plain text; none where the decoder is frozen."""
        return 0.0 if self.method == "frozen" else self.replay

    @property
    def heads(self) -> dict[str, HeadConfig]:
        """The heads that the stage teaches, by name."""
        return {task.name: task.head for task in self.tasks if task.head is not None}
