"""Marked transformations of the text that a stage learns beside the text itself."""

from __future__ import annotations

from hanlin.config._strict import Strict

__all__ = ["AugmentConfig"]


class AugmentConfig(Strict):
    """The share of training rows that each transformation has."""
