"""Continuous batching: many requests written at once, each as if it were alone.

A step takes what has come up to date (cancelled, late), lets waiting requests in while memory and
room allow, and then reads, in one pass, one token of every text that is being written and portions
of the prompts that are not read yet (Yu et al. 2022, Orca; Agrawal et al. 2023, arXiv 2308.16369).
A text that ends leaves at once and gives its blocks back; a new one takes its place in the next
step.

- Memory for the whole of a text is held when it is let in, so that none is thrown out half-way.
- Requests are let in as they came. One that does not fit yet may be passed by `max_overtakes`
  later ones, then nobody passes it. Prompts being read share a step's tokens fairly, and texts
  being written never wait for them.
- Each text draws from its own seed, and looks only at itself: `hanlin.generation.reading` says how
  far its numbers may depend on its neighbours.

`step` is all there is: no thread, no clock of its own. `hanlin.generation.worker` puts it to work.

    python -m hanlin.generation.scheduler
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from hanlin.config import BatchingConfig, SamplingConfig
from hanlin.errors import UserError
from hanlin.generation.counts import Counts, Statistics
from hanlin.generation.draft import FinishReason
from hanlin.generation.fairness import share_tokens
from hanlin.generation.job import Job
from hanlin.generation.line import WaitingLine
from hanlin.generation.prompts import Prompt
from hanlin.generation.texts import Writer, blocks_of

__all__ = ["Scheduler"]


class Scheduler:
    """Writes the texts of many requests, a step at a time, with either engine.

    `submit`, `prepare`, `enqueue` and `Job.cancelled` may be used from any thread, the rest from
    one.
    """

    def __init__(
        self,
        engine: Writer,
        config: BatchingConfig | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the cache's memory."""
        self.config = config or BatchingConfig()
        self.texts = engine.texts(self.config)
        self.running: list[Job] = []
        self._line = WaitingLine(self.config.max_waiting, self.config.max_overtakes)
        self._clock = clock
        self._counts = Counts()

    def submit(
        self,
        prompt: Prompt,
        sampling: SamplingConfig,
        *,
        seconds: float = math.inf,
        listener: Callable[[Job], None] | None = None,
    ) -> Job:
        """Queue a request; after `seconds` it ends with what was written by then.

        Raises:
            UserError: if the prompt leaves no room in the model's context, the cache cannot hold
                the text, or a rule of drawing cannot be followed.
            BusyError: if `max_waiting` requests wait already.
        """
        job = self.prepare(prompt, sampling, seconds=seconds, listener=listener)
        self.enqueue(job)
        return job

    def prepare(
        self,
        prompt: Prompt,
        sampling: SamplingConfig,
        *,
        seconds: float = math.inf,
        listener: Callable[[Job], None] | None = None,
    ) -> Job:
        """Return a request that is checked but not queued; this part of `submit` may take long."""
        job = self.texts.begin(prompt, sampling)
        job.arrived = self._clock()
        job.deadline, job.listener = job.arrived + seconds, listener
        self._check_size(job)
        return job

    def enqueue(self, job: Job) -> None:
        """Queue a prepared request, or refuse it if the queue is full."""
        self._line.put(job)

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self.running or self._line)

    def step(self) -> list[Job]:
        """Advance every text that can be; return the jobs that have changed, told already."""
        changed = self._drop()
        places = self.config.max_running - len(self.running)
        if self._line and self.texts.memory.available:
            self.running += self._line.let_in(places, self._hold_memory)
        portions = self._portions()
        if portions:
            changed += self._advance(portions)
        self._counts.step(self._clock())
        for job in changed:
            job.tell()
        return changed

    def run(self) -> None:
        """Step until nothing is left to do."""
        while self.busy:
            self.step()

    def statistics(self) -> Statistics:
        """Return the counts of this moment."""
        return self._counts.snapshot(
            self._line, len(self.running), self.texts.memory, self._clock()
        )

    def _check_size(self, job: Job) -> None:
        memory = self.texts.memory
        if blocks_of(job.most_tokens, memory.block_tokens) > memory.num_blocks:
            raise UserError(
                f"The prompt and max_tokens make {job.most_tokens} tokens, and the cache holds "
                f"{memory.num_blocks * memory.block_tokens}. Ask for fewer, or raise "
                "cache_tokens."
            )

    def _drop(self) -> list[Job]:
        """End what was cancelled or is late."""
        now = self._clock()
        ended = []
        for job in [*self.running, *self._line.all()]:
            reason: FinishReason | None = "cancelled" if job.cancelled else None
            if reason is None and now >= job.deadline:
                reason = "deadline"
            if reason is not None:
                job.draft.end(reason)
                ended.append(job)
        if ended:
            self._line.drop_done()
            self._leave()
        self._counts.end(ended)
        return ended

    def _hold_memory(self, job: Job) -> bool:
        if not self.texts.hold(job):
            return False
        self._counts.prompt_tokens += len(job.draft.prompt)
        self._counts.reused_tokens += job.reused
        return True

    def _portions(self) -> list[tuple[Job, int]]:
        """Return what this step reads: a token of each text in the writing, and prompts."""
        writing = [job for job in self.running if job.written]
        reading = [job for job in self.running if not job.written]
        budget = self.texts.step_tokens - len(writing)
        shares = share_tokens(budget, [job.pending for job in reading], self.texts.unit)
        counts = [1] * len(writing) + shares
        return [pair for pair in zip([*writing, *reading], counts, strict=True) if pair[1]]

    def _advance(self, portions: list[tuple[Job, int]]) -> list[Job]:
        """Read all portions and write a token of each text that is due."""
        due = [job for job, count in portions if count == job.pending]
        tokens = self.texts.advance(portions)
        now = self._clock()
        self._counts.read_tokens += sum(count for _, count in portions)
        self._counts.written_tokens += len(due)
        for job, count in portions:
            job.read += count
            self.texts.keep(job)
        for job, token in zip(due, tokens, strict=True):
            job.first_token = now if job.first_token is None else job.first_token
            self.texts.take(job, token)
        self._counts.end([job for job in due if job.done])
        self._leave()
        return due

    def _leave(self) -> None:
        for job in self.running:
            if job.done:
                self.texts.release(job)
        self.running = [job for job in self.running if not job.done]


if __name__ == "__main__":
    import sys
    from pathlib import Path

    from hanlin.generation.native import NativeEngine, load_native
    from hanlin.tokenizers import load_tokenizer

    if len(sys.argv) < 3:
        sys.exit("python -m hanlin.generation.scheduler FOLDER PROMPT...")
    place = Path(sys.argv[1])
    scheduler = Scheduler(NativeEngine(load_native(place), load_tokenizer(place)))
    jobs = [scheduler.submit(prompt, SamplingConfig()) for prompt in sys.argv[2:]]
    scheduler.run()
    for written in jobs:
        print(repr(written.complete().text))
    print(scheduler.statistics())
