"""How training shows where it is: a live bar on a terminal, plain lines everywhere else.

Both go to standard error, and both say the same: step, loss, bits per byte, tokens a second, MFU
(the share of this machine's measured matrix peak) and the time left, from a clock that never jumps.

    python -m hanlin.training.progress
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress

__all__ = ["Display", "Quiet", "Status", "choose_display", "format_seconds", "format_status"]


@dataclass(frozen=True, slots=True)
class Status:
    """Where training is after a logged step."""

    step: int
    num_steps: int
    loss: float | None
    """Nats a token, mean since the last status; None if every step was skipped."""
    bits_per_byte: float | None
    tokens_per_second: float
    mfu: float | None
    """Model FLOPs utilisation: 1 is the measured peak of a large matrix product."""
    seconds_left: float


class Display(Protocol):
    """Something that shows training."""

    def say(self, text: str) -> None:
        """Show one line that stays."""

    def show(self, status: Status) -> None:
        """Show where training is."""

    def close(self) -> None:
        """Leave the terminal as it should be."""


class Quiet:
    """Shows nothing but what must be said."""

    def say(self, text: str) -> None:
        """Print one line to standard error."""
        print(text, file=sys.stderr, flush=True)

    def show(self, status: Status) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Do nothing."""


class Lines(Quiet):
    """One plain line for each status."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def say(self, text: str) -> None:
        """Print one line."""
        print(text, file=self._stream, flush=True)

    def show(self, status: Status) -> None:
        """Print one line."""
        self.say(f"step {status.step}/{status.num_steps}  {format_status(status)}")


class Bar(Quiet):
    """A live bar with the same words behind it."""

    def __init__(self, stream: TextIO) -> None:
        self._progress = RichProgress(
            TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[words]}"),
            console=Console(file=stream),
        )
        self._task = self._progress.add_task("", total=None, words="", visible=False)
        self._progress.start()

    def say(self, text: str) -> None:
        """Print one line above the bar."""
        self._progress.console.print(text, markup=False, highlight=False)

    def show(self, status: Status) -> None:
        """Move the bar."""
        self._progress.update(
            self._task,
            total=status.num_steps,
            completed=status.step,
            words=format_status(status),
            visible=True,
        )

    def close(self) -> None:
        """Stop the bar."""
        self._progress.stop()


def choose_display(stream: TextIO | None = None) -> Display:
    """Return a bar if the stream (standard error) is a terminal, and plain lines if not."""
    stream = stream or sys.stderr
    return Bar(stream) if stream.isatty() else Lines(stream)


def format_status(status: Status) -> str:
    """Return a status in words.

    >>> format_status(Status(10, 100, 5.2, 1.9, 1840.0, 0.41, 300.0))
    'loss 5.200  1.900 bits/byte  1,840 tokens/s  MFU 41 %  5 min left'
    """
    words = ["every step skipped" if status.loss is None else f"loss {status.loss:.3f}"]
    if status.bits_per_byte is not None:
        words.append(f"{status.bits_per_byte:.3f} bits/byte")
    words.append(f"{status.tokens_per_second:,.0f} tokens/s")
    if status.mfu is not None:
        words.append(f"MFU {status.mfu:.0%}".replace("%", " %"))
    words.append(f"{format_seconds(status.seconds_left)} left")
    return "  ".join(words)


def format_seconds(seconds: float) -> str:
    """Return a duration in its two largest units.

    >>> [format_seconds(s) for s in (7.4, 300, 5400, 200_000)]
    ['7 s', '5 min', '1 h 30 min', '2 d 7 h']
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


if __name__ == "__main__":
    display = choose_display()
    for number in range(1, 101):
        display.show(Status(number, 100, 9.0 / number, None, 1800.0, 0.4, 100.0 - number))
    display.close()
