"""One process at a time may hold a run folder.

The lock is flock(2) on `.lock`, which the kernel lets go when the process ends, however it ends; so
a crash never leaves a stale lock behind. The file names the holder for the error message.

    python -m hanlin.records.lock
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from hanlin.errors import RunError

__all__ = ["hold_folder"]


@contextlib.contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Hold a folder for this process; raise RunError, naming the holder, if another one does."""
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise RunError(
            f"The run folder {folder} cannot be written: {error.strerror}. "
            "Give another folder with --run, or make this one writable."
        ) from error
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip() or "unknown"
        raise RunError(
            f"The run folder {folder} is in use by another process ({holder}). "
            "Wait until it ends, stop it, or give another folder with --run."
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)


if __name__ == "__main__":
    import tempfile

    with hold_folder(Path(tempfile.mkdtemp())):
        print("held")
