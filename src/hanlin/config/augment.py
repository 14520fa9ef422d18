"""Marked transformations of the text that a stage learns beside the text itself."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from hanlin.config._strict import Strict

__all__ = ["AugmentConfig"]

_MOST = 0.5


class AugmentConfig(Strict):
    """The share of training rows that each transformation has."""

    reverse: float = Field(default=0.0, ge=0)
    """Share of rows with words, or runs of up to 25 words, in reverse order."""
    permute: float = Field(default=0.0, ge=0)
    """Share of rows with shuffled sentences, to be put in order."""
    sort: float = Field(default=0.0, ge=0)
    """Share of rows with sentences sorted by length, to be undone, or shuffled, to be sorted."""
    infill: float = Field(default=0.0, ge=0)
    """Share of rows with a prefix and a suffix, whose middle is to be written."""
    repeat: float = Field(default=0.0, ge=0)
    """Share of rows with a text to be copied."""
    until: float | None = Field(default=None, gt=0, le=1)
    """Share of the steps after which only plain text is read; where the learning rate begins to
    fall unless given."""

    @property
    def shares(self) -> dict[str, float]:
        """The shares of the transformations that are asked for, by name."""
        named = self.model_dump(exclude={"until"})
        return {name: share for name, share in named.items() if share > 0}

    @property
    def total(self) -> float:
        """The share of all transformations together."""
        return sum(self.shares.values())

    @model_validator(mode="after")
    def _share_is_sound(self) -> Self:
        if not self.shares:
            raise ValueError("no transformation has a share; give one, such as infill = 0.1")
        if self.total > _MOST:
            raise ValueError(
                f"the shares add up to {self.total:g}; more than {_MOST:g} leaves plain text too "
                "little room, so lower them (0.1 to 0.25 in all is a good start)"
            )
        return self
