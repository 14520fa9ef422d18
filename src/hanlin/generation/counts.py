"""What a scheduler has done so far, and how it stands.

python -m hanlin.generation.counts
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from hanlin.generation.job import Job
from hanlin.generation.line import WaitingLine
from hanlin.generation.texts import Memory

__all__ = ["Counts", "Statistics"]

_WINDOW = 10.0
"""Seconds over which the speed is taken."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """A scheduler at one moment; counts run from its beginning."""

    waiting: int
    running: int
    blocks: int
    """Blocks of the cache."""
    blocks_held: int
    """Blocks that texts hold."""
    blocks_registered: int
    """Blocks that a later text with the same beginning can take over."""
    evictions: int
    """Registered blocks that were given up for new texts."""
    accepted: int
    refused: int
    """Requests that found the queue full."""
    ended: dict[str, int]
    """Texts that ended, by reason."""
    prompt_tokens: int
    """Tokens of the prompts that were let in."""
    reused_tokens: int
    """Those of them that were taken over from earlier texts."""
    read_tokens: int
    """Tokens that the decoder has read."""
    written_tokens: int
    steps: int
    tokens_per_second: float
    """Tokens written a second, over the last ten."""


@dataclass(slots=True)
class Counts:
    """The running counts of a scheduler."""

    prompt_tokens: int = 0
    reused_tokens: int = 0
    read_tokens: int = 0
    written_tokens: int = 0
    steps: int = 0
    _ended: Counter[str] = field(default_factory=Counter)
    _marks: deque[tuple[float, int]] = field(default_factory=lambda: deque([(-_WINDOW, 0)]))

    def step(self, now: float) -> None:
        """Count a step that ended at `now`."""
        self.steps += 1
        self._marks.append((now, self.written_tokens))
        while len(self._marks) > 2 and self._marks[1][0] < now - _WINDOW:
            self._marks.popleft()

    def end(self, jobs: Sequence[Job]) -> None:
        """Count jobs that have ended."""
        self._ended.update(str(job.draft.reason) for job in jobs)

    def snapshot(self, line: WaitingLine, running: int, memory: Memory, now: float) -> Statistics:
        """Return the counts of this moment."""
        marks = list(self._marks)
        began, before = next((m for m in marks if m[0] >= now - _WINDOW), (now, 0))
        seconds = now - began
        return Statistics(
            len(line),
            running,
            memory.num_blocks,
            memory.held,
            memory.registered,
            memory.evictions,
            line.accepted,
            line.refused,
            dict(self._ended),
            self.prompt_tokens,
            self.reused_tokens,
            self.read_tokens,
            self.written_tokens,
            self.steps,
            (self.written_tokens - before) / seconds if seconds > 0 else 0.0,
        )


if __name__ == "__main__":
    from hanlin.generation.blocks import BlockPool

    counts = Counts()
    for second in range(4):
        counts.written_tokens += 50
        counts.step(float(second))
    print(counts.snapshot(WaitingLine(4, 1), 1, BlockPool(4, 16), 3.0))
