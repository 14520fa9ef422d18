"""One entry of `[[stages]]`: which of the six stages it is, where it starts, and its settings.

Each kind has a table of its own (`[stages.distil]`, `[stages.expand]`, ...); what several kinds
share (training, replay, augmentation) stands beside it. A table of another kind is refused.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from hanlin.config._strict import Strict
from hanlin.config.augment import AugmentConfig
from hanlin.config.checkpointing import CheckpointStageConfig
from hanlin.config.distil import DistilConfig
from hanlin.config.expand import ExpandConfig
from hanlin.config.generate import GenerateConfig
from hanlin.config.language import LanguageConfig
from hanlin.config.model import ModelConfig
from hanlin.config.replay import ReplayConfig
from hanlin.config.tasks import TaskStageConfig
from hanlin.config.training import TrainingConfig

__all__ = ["StageConfig", "StageKind"]

StageKind = Literal["distil", "language", "task", "expand", "generate", "checkpoint"]

_TABLES = ("distil", "language", "task", "expand", "generate", "checkpoint")
_LEARNING = ("distil", "language", "task", "expand")


class StageConfig(Strict):
    """One entry of `[[stages]]`: one starting model, one release."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    """Its name; a later stage can start `from` it."""
    kind: StageKind
    """Which of the six stages it is."""
    from_: str = Field(default="", alias="from")
    """The stage or released folder whose weights it starts from; empty starts anew."""
    teachers: tuple[str, ...] = ()
    """Stages or released folders that a `distil` stage learns from."""
    parts: tuple[str, ...] = ()
    """Parts of the corpus it reads; empty reads every part that no stage names."""
    training: TrainingConfig | None = None
    """How it learns; `generate` and `checkpoint` learn nothing and have none."""
    model: ModelConfig | None = None
    """The shape it learns in, where that is not the recipe's or the one it starts from."""
    augment: AugmentConfig | None = None
    """Marked transformations of the text, beside the text itself."""
    replay: ReplayConfig | None = None
    """Old text among the new, against forgetting."""
    watch: tuple[str, ...] = ()
    """Parts of the corpus whose test text is measured before and after the stage, by themselves;
    nothing is learnt from them."""
    distil: DistilConfig | None = None
    """Settings of a `distil` stage."""
    language: LanguageConfig | None = None
    """Settings of a `language` stage beyond next-token prediction."""
    task: TaskStageConfig | None = None
    """Settings of a `task` stage."""
    expand: ExpandConfig | None = None
    """Settings of an `expand` stage."""
    generate: GenerateConfig | None = None
    """Settings of a `generate` stage."""
    checkpoint: CheckpointStageConfig | None = None
    """Settings of a `checkpoint` stage."""

    @property
    def learning(self) -> TrainingConfig:
        """How a stage that learns does so."""
        assert self.training is not None, "only a stage that learns is asked"
        return self.training

    @property
    def learns(self) -> bool:
        """Whether the stage trains a model."""
        return self.kind in _LEARNING

    @model_validator(mode="after")
    def _tables_fit_the_kind(self) -> Self:
        for table in _TABLES:
            if table != self.kind and getattr(self, table) is not None:
                raise ValueError(
                    f"stage {self.name!r} is of kind {self.kind!r} and has a table {table!r}; "
                    f"leave it out or set kind = {table!r}"
                )
        self._check_learning()
        self._check_mixture()
        if self.kind == "task":
            self._check_tasks()
        self._check_teachers()
        if self.kind in ("task", "expand", "generate", "checkpoint") and not self.from_:
            raise ValueError(f"stage {self.name!r} needs `from`: a {self.kind} stage starts there")
        return self

    def _check_learning(self) -> None:
        if self.learns and self.training is None:
            raise ValueError(f"stage {self.name!r} learns and needs a table `training`")
        if not self.learns:
            self._refuse("training", "model", "augment", "replay", "watch")

    def _check_teachers(self) -> None:
        if self.kind != "distil" and self.teachers:
            raise ValueError(f"stage {self.name!r} has `teachers`; only a distil stage learns so")
        if self.distil is None:
            return
        if self.distil.cache_top_k and self.augment is not None:
            raise ValueError(
                f"stage {self.name!r} has distil.cache_top_k = {self.distil.cache_top_k} and a "
                "table `augment`, whose transformed rows are read once each; leave out one of them"
            )
        if self.teachers:
            return
        for key in ("hint", "relation", "input", "on_policy", "cache_top_k"):
            if weight := getattr(self.distil, key):
                raise ValueError(
                    f"stage {self.name!r} has distil.{key} = {weight} and no `teachers` to "
                    "take it from; name one, or leave it out"
                )

    @property
    def augmented_steps(self) -> int:
        """Steps in which transformed text is read."""
        if self.augment is None:
            return 0
        share = self.augment.until
        if share is None:
            share = self.learning.schedule.stable_share
        return round(share * self.learning.num_steps)

    def _check_mixture(self) -> None:
        if self.augment is None:
            return
        schedule = self.learning.schedule
        if self.augment.until is None and schedule.kind == "cosine":
            raise ValueError(
                f"stage {self.name!r}: with a cosine schedule the rate falls all the time; say in "
                "`augment.until` after which share of the steps augmentation stops"
            )
        if not self.augmented_steps:
            raise ValueError(
                f"stage {self.name!r}: augmentation stops where the learning rate begins to fall, "
                "which is at the first step; leave out `augment` or set `augment.until`"
            )
        if self.replay is not None and self.augment.total + self.replay.share >= 1:
            raise ValueError(
                f"stage {self.name!r}: replay.share {self.replay.share:g} and augmentation "
                f"{self.augment.total:g} leave no row for new text; lower one of them"
            )

    def _check_tasks(self) -> None:
        if self.task is None:
            raise ValueError(
                f"stage {self.name!r} teaches no task; name them in [[stages.task.tasks]]"
            )
        for key in ("augment", "replay"):
            if getattr(self, key) is not None:
                raise ValueError(
                    f"stage {self.name!r} is of kind 'task' and has a table {key!r}; leave it "
                    "out: plain text is replayed by `task.replay`"
                )

    def _refuse(self, *keys: str) -> None:
        for key in keys:
            if getattr(self, key):
                raise ValueError(
                    f"stage {self.name!r} is of kind {self.kind!r}, which learns nothing; "
                    f"leave out `{key}`"
                )
