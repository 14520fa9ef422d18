"""The course of a story: what happens in it, and nothing of how that is told.

`hanlin.text.world.tasks` derives everything from it; `hanlin.text.world.story` tells it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hanlin.text.world.state import Event

__all__ = ["Course"]


@dataclass(frozen=True, slots=True)
class Course:
    """What a story consists of."""

    events: tuple[Event, ...]
    core: tuple[int, ...]
    """The events that the summary tells."""
    wording: int
    """Seed of the choice among wordings."""
    memo: dict[tuple[Any, ...], Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """What was derived before, by what it is (`hanlin.text.world.tasks.remembered`)."""
