"""What Prometheus reads: counters, gauges and histograms as plain text.

    metrics = Metrics()
    metrics.count_request("/v1/completions", 200, seconds=0.4)
    print(metrics.render(None))

python -m hanlin.serving.metrics
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING

from hanlin.generation import Statistics

if TYPE_CHECKING:
    from hanlin.serving.texts import Text

__all__ = ["Histogram", "Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_PER_TOKEN = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_GAUGES = {
    "waiting": "Texts that wait to be let in.",
    "running": "Texts that are read or written.",
    "blocks": "Blocks of the cache.",
    "blocks_held": "Blocks that texts hold.",
    "tokens_per_second": "Tokens written a second, over the last ten.",
}


class Histogram:
    """Counts of values below bounds, with their sum."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """Begin with nothing seen."""
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def render(self, name: str) -> list[str]:
        """Return the lines of Prometheus's form: each bucket counts all that is below its bound."""
        lines, total = [], 0
        for bound, count in zip([*map(str, self._bounds), "+Inf"], self._counts, strict=True):
            total += count
            lines.append(f'{name}_bucket{{le="{bound}"}} {total}')
        return [*lines, f"{name}_sum {self._sum:.6f}", f"{name}_count {total}"]


class Metrics:
    """All that the server counts."""

    def __init__(self) -> None:
        """Begin with zeros."""
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._numbers: Counter[str] = Counter()
        self._histograms = {
            "request_seconds": ("Time from request to the end of the answer.", Histogram(_SECONDS)),
            "time_to_first_token_seconds": (
                "Time from a text's submission to its first piece.",
                Histogram(_SECONDS),
            ),
            "time_per_token_seconds": (
                "Time a token of a text after its first piece.",
                Histogram(_PER_TOKEN),
            ),
        }

    def count_request(self, endpoint: str, status: int, *, seconds: float) -> None:
        """Count a request that was answered."""
        with self._lock:
            self._requests[endpoint, status] += 1
            self._histograms["request_seconds"][1].observe(seconds)

    def count_gone(self) -> None:
        """Count a client that left before its answer."""
        with self._lock:
            self._numbers["aborted_total"] += 1

    def count_fault(self) -> None:
        """Count a fault of the engine."""
        with self._lock:
            self._numbers["engine_faults_total"] += 1

    def count_text(self, text: Text) -> None:
        """Count a text that has ended."""
        written = text.num_written
        with self._lock:
            self._numbers["prompt_tokens_total"] += len(text.prompt)
            self._numbers["completion_tokens_total"] += written
            self._numbers["reused_tokens_total"] += text.reused
            if text.first is None or text.ended is None:
                return
            first = text.first - text.began
            self._histograms["time_to_first_token_seconds"][1].observe(first)
            if written > 1:
                each = (text.ended - text.first) / (written - 1)
                self._histograms["time_per_token_seconds"][1].observe(each)

    def render(self, statistics: Statistics | None) -> str:
        """Return all numbers as Prometheus reads them."""
        with self._lock:
            lines = self._described("requests_total", "counter", "Requests, by answer.")
            for (endpoint, status), count in sorted(self._requests.items()):
                labels = f'endpoint="{endpoint}",status="{status}"'
                lines.append(f"hanlin_requests_total{{{labels}}} {count}")
            for name, meaning in _COUNTERS.items():
                lines += self._described(name, "counter", meaning)
                lines.append(f"hanlin_{name} {self._numbers[name]}")
            for name, (meaning, histogram) in self._histograms.items():
                lines += self._described(name, "histogram", meaning)
                lines += histogram.render(f"hanlin_{name}")
        for name, meaning in _GAUGES.items() if statistics is not None else ():
            lines += self._described(name, "gauge", meaning)
            lines.append(f"hanlin_{name} {getattr(statistics, name)}")
        return "\n".join(lines) + "\n"

    def _described(self, name: str, kind: str, meaning: str) -> list[str]:
        return [f"# HELP hanlin_{name} {meaning}", f"# TYPE hanlin_{name} {kind}"]


_COUNTERS = {
    "prompt_tokens_total": "Tokens of prompts.",
    "completion_tokens_total": "Tokens written.",
    "reused_tokens_total": "Tokens of prompts that were taken over from earlier texts.",
    "aborted_total": "Requests whose client left before the end.",
    "engine_faults_total": "Faults after which the engine was started anew.",
}


if __name__ == "__main__":
    seen = Metrics()
    seen.count_request("/v1/completions", 200, seconds=0.4)
    print(seen.render(None))
