"""A second place for checkpoints: any fsspec URL, such as `s3://bucket/run` or a folder.

A copy counts once its `manifest.json` is there, which is sent last and removed first. Each transfer
is tried a few times with growing pauses and then given up with its error; the caller tries again at
the next checkpoint, so a slow or absent store delays training by seconds and never stops it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from fsspec.core import url_to_fs

__all__ = ["Backup"]

Value = TypeVar("Value")
_ATTEMPTS = 3
_MANIFEST = "manifest.json"


class Backup:
    """Copies of checkpoint folders below one URL."""

    def __init__(self, url: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Point at `url`; nothing is read or written yet."""
        self.url = url
        self._sleep = sleep
        self._fs: Any
        self._fs, root = url_to_fs(url)
        self._root = root.rstrip("/")

    def mirror(self, checkpoints: Sequence[Path]) -> None:
        """Make the second place hold exactly these checkpoints, copying what it lacks."""
        for path in checkpoints:
            if not self._holds(path):
                self._send(path)
        kept = {path.name for path in checkpoints}
        for name in self.names():
            if name not in kept:
                self._drop(name)

    def names(self) -> list[str]:
        """Return the names of whole copies, oldest first."""

        def find() -> list[str]:
            self._fs.invalidate_cache()
            return [str(path) for path in self._fs.glob(f"{self._root}/step-*/{_MANIFEST}")]

        names = [path.rsplit("/", 2)[-2] for path in self._persist(find)]
        return sorted(names, key=lambda name: int(name.removeprefix("step-")))

    def fetch(self, name: str, folder: Path) -> None:
        """Copy one checkpoint's files into a folder."""

        def get() -> None:
            for remote in self._fs.ls(f"{self._root}/{name}", detail=False):
                self._fs.get_file(remote, str(folder / str(remote).rsplit("/", 1)[-1]))

        self._persist(get)

    def _holds(self, path: Path) -> bool:
        remote = f"{self._root}/{path.name}/{_MANIFEST}"
        ours = (path / _MANIFEST).read_bytes()
        return self._persist(
            lambda: bool(self._fs.exists(remote) and self._fs.cat_file(remote) == ours)
        )

    def _send(self, path: Path) -> None:
        remote = f"{self._root}/{path.name}"
        files = sorted(path.iterdir(), key=lambda file: file.name == _MANIFEST)

        def put() -> None:
            self._fs.makedirs(remote, exist_ok=True)
            if self._fs.exists(f"{remote}/{_MANIFEST}"):
                self._fs.rm_file(f"{remote}/{_MANIFEST}")
            for file in files:
                self._fs.put_file(str(file), f"{remote}/{file.name}")

        self._persist(put)

    def _drop(self, name: str) -> None:
        remote = f"{self._root}/{name}"

        def drop() -> None:
            if self._fs.exists(f"{remote}/{_MANIFEST}"):
                self._fs.rm_file(f"{remote}/{_MANIFEST}")
            self._fs.rm(remote, recursive=True)

        self._persist(drop)

    def _persist(self, action: Callable[[], Value]) -> Value:
        """Try an action a few times, pausing longer each time; raise its last error."""
        for attempt in range(_ATTEMPTS - 1):
            try:
                return action()
            except Exception:  # each store raises errors of its own
                self._sleep(2.0**attempt)
        return action()
