"""Old text among the new, so that what was learnt is not forgotten."""

from __future__ import annotations

from pydantic import Field

from hanlin.config._strict import Strict

__all__ = ["ReplayConfig"]


class ReplayConfig(Strict):
    """Which parts of the corpus are seen again, and how often."""

    share: float = Field(default=0.1, gt=0, lt=1)
    """Share of the training rows."""
    parts: tuple[str, ...] = Field(min_length=1)
    """Parts of the corpus, earlier than those that the stage reads."""
