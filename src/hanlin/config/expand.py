"""How an expand stage grows a frozen model on new text."""

from __future__ import annotations

from hanlin.config._strict import Strict

__all__ = ["ExpandConfig"]


class ExpandConfig(Strict):
    """What is added to the frozen model, and when."""
