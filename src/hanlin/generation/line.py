"""The line of requests that wait: bounded, first come, first served, with a bound on overtaking.

python -m hanlin.generation.line
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock

from hanlin.errors import BusyError
from hanlin.generation.job import Job

__all__ = ["WaitingLine"]


class WaitingLine:
    """Jobs in order of arrival; any thread may add to it."""

    def __init__(self, max_waiting: int, max_overtakes: int) -> None:
        """Begin with nobody waiting."""
        self._max_waiting, self._max_overtakes = max_waiting, max_overtakes
        self._jobs: deque[Job] = deque()
        self._lock = Lock()
        self.accepted = self.refused = 0

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._jobs)

    def put(self, job: Job) -> None:
        """Add a job at the end.

        Raises:
            BusyError: if `max_waiting` jobs wait already.
        """
        with self._lock:
            if len(self._jobs) >= self._max_waiting:
                self.refused += 1
                raise BusyError(
                    f"{len(self._jobs)} requests wait already, and max_waiting is "
                    f"{self._max_waiting}. Try again later, or raise max_waiting."
                )
            self.accepted += 1
            self._jobs.append(job)

    def all(self) -> list[Job]:
        """Return those who wait, in order."""
        with self._lock:
            return list(self._jobs)

    def drop_done(self) -> None:
        """Let go of jobs that have ended while they waited."""
        with self._lock:
            self._jobs = deque(job for job in self._jobs if not job.done)

    def let_in(self, places: int, hold: Callable[[Job], bool]) -> list[Job]:
        """Return the jobs, `places` at most, whose memory `hold` could get; they wait no more.

        One that gets none may be passed by `max_overtakes` later ones in all, then by nobody.
        """
        admitted: list[Job] = []
        passed: list[Job] = []
        for job in self.all():
            if len(admitted) == places:
                break
            if passed and passed[0].overtaken >= self._max_overtakes:
                break
            if not hold(job):
                passed.append(job)
                continue
            admitted.append(job)
            for earlier in passed:
                earlier.overtaken += 1
        with self._lock:
            for job in admitted:
                self._jobs.remove(job)
        return admitted


if __name__ == "__main__":
    from hanlin.config import SamplingConfig
    from hanlin.generation.draft import Draft
    from hanlin.generation.stream import TextStream

    line = WaitingLine(max_waiting=4, max_overtakes=1)
    for length in (50, 1, 1):
        line.put(Job(Draft([5] * length, 1, TextStream()), SamplingConfig(), [0.5]))
    let_in = line.let_in(4, lambda job: len(job.draft.prompt) < 10)
    print(len(let_in), "let in,", len(line), "wait")
