"""A stage's release becomes the run's newest: copied beside, then put in place whole."""

from __future__ import annotations

import shutil
from pathlib import Path

from hanlin.records import atomic_directory

__all__ = ["publish_release"]


def publish_release(release: Path, target: Path) -> None:
    """Copy a released folder to `target` atomically."""
    with atomic_directory(target) as temporary:
        shutil.copytree(release, temporary, dirs_exist_ok=True)
