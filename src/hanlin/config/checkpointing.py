"""How a checkpoint stage proves that what was saved can be had back."""

from __future__ import annotations

from hanlin.config._strict import Strict

__all__ = ["CheckpointStageConfig"]


class CheckpointStageConfig(Strict):
    """Where the copy goes that is restored and compared."""
