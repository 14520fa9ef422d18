"""A level that a metric must reach, evaluation after evaluation, before something happens."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from hanlin.config._strict import Strict

__all__ = ["LevelConfig"]

_LOWER_IS_BETTER = ("bits_per_byte", "bits_per_character", "loss")


class LevelConfig(Strict):
    """A metric of the evaluations, the level it must reach, and in how many of them in a row."""

    metric: str = Field(pattern=r"^[a-z][a-z0-9_]*(\.[A-Za-z0-9_-]+)+$")
    """What is measured, and of what: `bits_per_byte.zh`, or a task's metric and its name."""
    level: float = Field(gt=0, allow_inf_nan=False)
    """Bits per byte must come down to it; a share of right answers must come up to it."""
    times: int = Field(default=3, ge=1)
    """Evaluations in a row that must have reached it, so that one lucky one is not enough."""

    @property
    def measure(self) -> str:
        """What is measured, without of what."""
        return self.metric.split(".")[0]

    @property
    def lower_is_better(self) -> bool:
        """Whether the metric must come down to the level rather than up."""
        return self.measure in _LOWER_IS_BETTER

    @model_validator(mode="after")
    def _level_can_be_reached(self) -> Self:
        if not self.lower_is_better and self.level > 1:
            raise ValueError(f"{self.metric} is a share, which never reaches {self.level:g}")
        return self
