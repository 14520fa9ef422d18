"""How a distil stage learns from its teachers."""

from __future__ import annotations

from hanlin.config._strict import Strict

__all__ = ["DistilConfig"]


class DistilConfig(Strict):
    """What is taken from the teachers, how much of it, and for how long."""
