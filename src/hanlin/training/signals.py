"""A safe stop: the first SIGTERM or SIGINT is remembered, the second acts at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["StopSignal"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignal:
    """A context in which `name` tells whether the process was asked to stop.

    After the first signal the former handlers are back, so that a second one has its usual effect.
    Handlers can only be set in the main thread; elsewhere nothing is caught.
    """

    def __init__(self) -> None:
        """Wait to be entered."""
        self.name = ""
        """Name of the signal that came, or empty."""
        self._former: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Set the handlers."""
        if threading.current_thread() is threading.main_thread():
            self._former = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put the former handlers back."""
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.name = signal.Signals(number).name
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
        self._former = {}
