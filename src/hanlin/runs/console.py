"""What a run says while it works: a line a phase, a bar on a terminal, and what took how long."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich.console import Console as RichConsole
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["Console", "Laps", "PhaseProgress"]

PhaseProgress = Callable[[str, int, int], None]
"""Called with what is counted, how many are done, and how many there are (0 where unknown)."""


class Laps:
    """What one part of the work after the other took."""

    def __init__(self) -> None:
        """Begin now."""
        self.seconds: dict[str, float] = {}
        self._began = time.monotonic()

    def end(self, name: str) -> None:
        """Count the time since the last part ended, or since the beginning, as that of a part."""
        before = sum(self.seconds.values())
        self.seconds[name] = time.monotonic() - self._began - before

    def summary(self) -> str:
        """Return the parts and their sum in one line."""
        parts = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.seconds.items())
        minutes, rest = divmod(round(sum(self.seconds.values())), 60)
        return f"Done in {minutes} min {rest} s: {parts}"


@dataclass(frozen=True)
class Console:
    """Words and progress on standard error."""

    quiet: bool = False

    def say(self, text: str) -> None:
        """Print one line."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def phase(self, title: str) -> Iterator[PhaseProgress]:
        """Announce a piece of work, show how far it is, and say how long it took."""
        start = time.monotonic()
        if self.quiet or not sys.stderr.isatty():
            self.say(f"{title} ...")
            yield lambda what, done, total: None
        else:
            with _bar() as progress:
                task = progress.add_task(title, total=None)

                def update(what: str, done: int, total: int) -> None:
                    text = f"{title}: {done:,} {what}"
                    progress.update(task, description=text, completed=done, total=total or None)

                yield update
        self.say(f"{title}: done in {time.monotonic() - start:.1f} s")


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TimeRemainingColumn(),
        console=RichConsole(stderr=True),
        transient=True,
    )
