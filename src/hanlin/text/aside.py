"""Generators that run in processes of their own, beside this one, their items read as they come.

    with aside([(range, (0, 3)), (range, (5, 8))]) as (one, other):
        print(*zip(one, other))

Which items come, and in what order, does not depend on the number of processes: a generator gets
its arguments and nothing else. Each one fills a pipe and waits there until it is read, so that
memory stays bounded. A fresh interpreter runs it, which knows nothing of the program that asked: a
script need not guard its main part, and no thread is torn by a fork.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hanlin.errors import HanlinError, RunError

__all__ = ["Job", "aside", "usable_cores"]

Job = tuple[Callable[..., Iterable[Any]], tuple[Any, ...]]
"""A function at the top of a module, and its arguments; all of it is pickled."""

_TOGETHER = 64
"""Items that travel together."""
_COMMAND = "from hanlin.text.aside import work; work()"


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def aside(jobs: Sequence[Job], *, processes: int | None = None) -> Iterator[list[Iterator[Any]]]:
    """Yield an iterator for each job; what is still at work when the block ends is ended.

    Args:
        jobs: each has a process of its own.
        processes: with fewer than two, all jobs run in this process; the usable cores by default.

    Raises:
        HanlinError: what a job raised, or a process ended early; raised while its items are read.
    """
    if (usable_cores() if processes is None else processes) < 2:
        yield [iter(function(*arguments)) for function, arguments in jobs]
        return
    with contextlib.ExitStack() as stack:
        yield [_items(stack.enter_context(_started(job))) for job in jobs]


def work() -> None:
    """Carry out the job that is given on standard input, and write its items to standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asked decides when to stop
    out, sys.stdout = sys.stdout.buffer, sys.stderr  # what a job prints must not mix with its items
    function, arguments = pickle.load(sys.stdin.buffer)
    try:
        for group in _groups(function, arguments):
            pickle.dump(group, out)
            out.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())  # nobody reads any more


def _groups(
    function: Callable[..., Iterable[Any]], arguments: tuple[Any, ...]
) -> Iterator[list[Any] | HanlinError]:
    """Yield a job's items, many at a time, then none of them; or the error that ended it."""
    try:
        items = iter(function(*arguments))
        while group := list(itertools.islice(items, _TOGETHER)):
            yield group
        yield []
    except HanlinError as error:
        yield error


@contextlib.contextmanager
def _started(job: Job) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process at work on a job, and end it."""
    places = os.pathsep.join(place or str(Path.cwd()) for place in sys.path)
    with subprocess.Popen(
        [sys.executable, "-c", _COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": places},
    ) as process:
        try:
            assert process.stdin is not None, "it was asked for"
            with contextlib.suppress(BrokenPipeError), process.stdin:
                pickle.dump(job, process.stdin)
            yield process
        finally:
            process.kill()


def _items(process: subprocess.Popen[bytes]) -> Iterator[Any]:
    assert process.stdout is not None, "it was asked for"
    while True:
        try:
            group = pickle.load(process.stdout)
        except (EOFError, pickle.UnpicklingError) as error:
            raise RunError(
                f"A process that helps with the work ended early, with status {process.wait()}; "
                "what it said stands above. Give the same command again; should it happen again, "
                "there may be too little memory."
            ) from error
        if isinstance(group, HanlinError):
            raise group
        if not group:
            return
        yield from group


if __name__ == "__main__":
    with aside([(range, (0, 3)), (range, (5, 8))]) as (one, other):
        print(*zip(one, other, strict=True))
