"""How a checkpoint stage proves that what was saved can be had back."""

from __future__ import annotations

from hanlin.config._strict import Strict

__all__ = ["CheckpointStageConfig"]


class CheckpointStageConfig(Strict):
    """Where the copy goes that is restored and compared."""

    place: str = ""
    """A second place for the checkpoints: a folder or any fsspec URL, under which the run's and the
    stage's names follow; empty takes the stage's own folder, which survives no lost disk."""
