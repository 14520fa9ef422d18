"""One process at a time may hold a run folder.

The lock is flock(2) on `.lock`, which the kernel lets go when the process ends, however it ends; so
a crash never leaves a stale lock behind. The file names the holder for the error message.

    python -m hanlin.records.lock
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

from hanlin.errors import RunError

__all__ = ["hold_folder", "is_held"]


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
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def is_held(folder: Path) -> bool:
    """Whether a process of this machine holds a folder.

    The holder is asked after by its name, not by trying its lock: to look must not get in the way
    of a run that starts at this moment.
    """
    try:
        holder = (folder / ".lock").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    found = re.match(r"process (\d+) on (.*)", holder)
    if not found or found.group(2).strip() != socket.gethostname():
        return False
    try:
        os.kill(int(found.group(1)), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


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
