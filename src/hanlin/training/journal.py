"""What training says and leaves behind: metrics, events, and alarms that cannot be overlooked.

Metrics are a pure function of the run apart from the field `time`, and are cut back to the
checkpoint on resumption; so the file of a run that was killed equals that of one that was not.
Events are a log of what happened, when. A log that cannot be written is an alarm, not an end.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hanlin.records import append_jsonl, truncate_jsonl

__all__ = ["Journal"]


class Journal:
    """Writes the metrics and events of one stage; on other processes than the first, nothing."""

    def __init__(
        self, *, stage: str, metrics: Path, events: Path, say: Callable[[str], None], active: bool
    ) -> None:
        """Write to two files; `say` shows what must be seen."""
        self.stage = stage
        self._metrics, self._events = metrics, events
        self._say = say
        self._active = active

    def measure(self, step: int, kind: str, fields: dict[str, Any], time: dict[str, Any]) -> None:
        """Append one line of metrics; whatever depends on the clock goes into `time`."""
        record = {"stage": self.stage, "kind": kind, "step": step, **fields, "time": time}
        self._append(self._metrics, record)

    def note(self, event: str, **fields: Any) -> None:
        """Append one event."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._append(self._events, {"time": now, "event": event, "stage": self.stage, **fields})

    def alarm(self, message: str) -> None:
        """Say something aloud and keep it as an event."""
        if self._active:
            self._say(f"warning: {message}")
        self.note("alarm", message=message)

    def rewind(self, step: int) -> None:
        """Take away this stage's metrics of later steps, which will be done again."""
        if self._active:
            truncate_jsonl(
                self._metrics, lambda r: r.get("stage") != self.stage or r.get("step", 0) <= step
            )

    def _append(self, path: Path, record: dict[str, Any]) -> None:
        if not self._active:
            return
        try:
            append_jsonl(path, record)
        except OSError as error:
            self._say(f"warning: {path} could not be written: {error}. Training goes on.")
