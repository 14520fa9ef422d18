"""Guards that keep a bad step from touching the weights.

A step whose loss or gradient is not finite, or whose loss leaps out of the window of accepted
losses, is dropped whole: no update, no moment, no entry in the window, only a count. (Scaling such
a gradient by zero is no guard, since 0 x NaN is NaN.) The leap is measured by a robust z-score,
(loss - median) / (1.4826 x median absolute deviation), which outliers cannot dull. The numbers
judged are those that all processes have added up, so every process comes to the same verdict.

    python -m hanlin.training.guards
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from typing import Any

from hanlin.errors import HanlinError

__all__ = ["Guard"]

_WINDOW = 128
_FEWEST = 32
_LARGEST_SCORE = 8.0
_LEAST_SPREAD = 0.02
"""The deviation counts as at least this share of the median: a flat curve has no spikes."""


class Guard:
    """Judges steps, and remembers the losses of those accepted."""

    def __init__(self, max_skipped: int) -> None:
        """Give up after `max_skipped` skipped steps in a row."""
        self.max_skipped = max_skipped
        self.skipped = 0
        """Steps skipped in all."""
        self.in_a_row = 0
        """Steps skipped since the last accepted one."""
        self._losses: deque[float] = deque(maxlen=_WINDOW)

    def judge(self, loss: float, gradient_norm: float) -> str:
        """Return why the step must be skipped, or an empty string; keep count of both."""
        fault = self._fault(loss, gradient_norm)
        if fault:
            self.skipped += 1
            self.in_a_row += 1
        else:
            self.in_a_row = 0
            self._losses.append(loss)
        return fault

    def check(self, step: int, fault: str) -> None:
        """Raise HanlinError when too many steps in a row were skipped."""
        if self.in_a_row < self.max_skipped:
            return
        raise HanlinError(
            f"Training stopped at step {step}: {self.in_a_row} steps in a row were skipped, the "
            f"last because {fault}. The weights are those of the last good step. Lower the "
            "learning rate, look at the data, or raise training.max_skipped."
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the counts and the window as plain JSON values."""
        return {
            "skipped": self.skipped,
            "in_a_row": self.in_a_row,
            "losses": list(self._losses),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        self.skipped, self.in_a_row = state["skipped"], state["in_a_row"]
        self._losses = deque(state["losses"], maxlen=_WINDOW)

    def _fault(self, loss: float, gradient_norm: float) -> str:
        if not math.isfinite(loss):
            return f"its loss is {loss}"
        if not math.isfinite(gradient_norm):
            return f"its gradient's norm is {gradient_norm}"
        if len(self._losses) < _FEWEST:
            return ""
        score, median = self._score(loss)
        if score <= _LARGEST_SCORE:
            return ""
        return f"its loss {loss:.3f} is a spike over the median {median:.3f} (z = {score:.1f})"

    def _score(self, loss: float) -> tuple[float, float]:
        median = statistics.median(self._losses)
        deviation = statistics.median(abs(other - median) for other in self._losses)
        spread = max(1.4826 * deviation, _LEAST_SPREAD * abs(median), 1e-6)
        return (loss - median) / spread, median


if __name__ == "__main__":
    guard = Guard(max_skipped=3)
    for number in range(40):
        guard.judge(3.0 + 0.01 * (number % 5), 1.0)
    print(guard.judge(9.0, 1.0), "|", guard.judge(float("nan"), 1.0), "|", guard.judge(3.0, 1.0))
