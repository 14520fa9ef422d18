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
from hanlin.generation.blocks import BlockPool
from hanlin.generation.counts import Counts, Statistics
from hanlin.generation.draft import Draft, FinishReason
from hanlin.generation.drawing import draw_next, shared_settings
from hanlin.generation.engine import Engine, Prompt, uniforms
from hanlin.generation.fairness import share_tokens
from hanlin.generation.job import Job
from hanlin.generation.line import WaitingLine
from hanlin.generation.reading import Portion, Reader
from hanlin.generation.rules import Steering

__all__ = ["Scheduler"]


class Scheduler:
    """Writes the texts of many requests, a step at a time.

    `submit`, `prepare`, `enqueue` and `Job.cancelled` may be used from any thread, the rest from
    one.
    """

    def __init__(
        self,
        engine: Engine,
        config: BatchingConfig | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the cache's memory."""
        self.engine = engine
        self.config = config or BatchingConfig()
        size = self.config.block_tokens
        context = engine.model.config.context_length
        tokens = self.config.cache_tokens or self.config.max_running * _up(context, size) * size
        self.pool = BlockPool(max(1, tokens // size), size)
        self.running: list[Job] = []
        self._line = WaitingLine(self.config.max_waiting, self.config.max_overtakes)
        self._reader = Reader(engine.model, self.config, self.pool.num_blocks)
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
        draft = self.engine.begin(prompt, sampling)
        steering = _steering(self.engine, sampling, draft)
        now = self._clock()
        job = Job(
            draft,
            shared_settings(sampling),
            uniforms([draft], sampling.seed)[0].tolist(),
            arrived=now,
            deadline=now + seconds,
            listener=listener,
            steering=steering,
        )
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
        if self._line and self.pool.available:
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
        return self._counts.snapshot(self._line, len(self.running), self.pool, self._clock())

    def _check_size(self, job: Job) -> None:
        needed = _up(job.most_tokens, self.pool.block_tokens)
        if needed > self.pool.num_blocks:
            raise UserError(
                f"The prompt and max_tokens make {job.most_tokens} tokens, and the cache holds "
                f"{self.pool.num_blocks * self.pool.block_tokens}. Ask for fewer, or raise "
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
        """Give a job its blocks, those of an earlier text's equal beginning among them."""
        size, prompt = self.pool.block_tokens, job.draft.prompt
        # The last token is always read anew, because its logits are needed.
        shared = self.pool.match(prompt[:-1]) if self.config.prefix_reuse else []
        table = self.pool.take(shared, _up(job.most_tokens, size) - len(shared))
        if table is None:
            return False
        job.table, job.registered = table, len(shared)
        job.read = job.reused = len(shared) * size
        if shared:
            job.name = self.pool.name(shared[-1])
        self._counts.prompt_tokens += len(prompt)
        self._counts.reused_tokens += job.reused
        return True

    def _portions(self) -> list[tuple[Job, Portion]]:
        """Return what this step reads: a token of each text in the writing, and prompts."""
        writing = [job for job in self.running if job.written]
        reading = [job for job in self.running if not job.written]
        unit = self.pool.block_tokens if self.config.deterministic else 1
        budget = self.config.step_tokens - len(writing)
        shares = share_tokens(budget, [job.pending for job in reading], unit)
        counts = [1] * len(writing) + shares
        return [
            (job, _portion(job, count))
            for job, count in zip([*writing, *reading], counts, strict=True)
            if count
        ]

    def _advance(self, portions: list[tuple[Job, Portion]]) -> list[Job]:
        """Read all portions and write a token of each text that is due."""
        due = [job for job, portion in portions if portion.is_due]
        logits = self._reader.read([portion for _, portion in portions])
        logits = logits[:, : self.engine.tokenizer.vocab_size]
        tokens = draw_next(
            logits, due, self.engine.vocabulary, one_by_one=self.config.deterministic
        )
        now = self._clock()
        self._counts.read_tokens += sum(len(portion.tokens) for _, portion in portions)
        self._counts.written_tokens += len(due)
        for job, portion in portions:
            job.read += len(portion.tokens)
            self._register(job)
        for job, token in zip(due, tokens, strict=True):
            job.first_token = now if job.first_token is None else job.first_token
            self.engine.take(job.draft, token)
        self._counts.end([job for job in due if job.done])
        self._leave()
        return due

    def _register(self, job: Job) -> None:
        """Offer the job's full blocks to later texts.

        Under `deterministic` only those of the prompt: what was read a token at a time differs, in
        the last bits, from what a prompt's reading makes of it.
        """
        size = self.pool.block_tokens
        end = min(job.read, len(job.draft.prompt)) if self.config.deterministic else job.read
        while self.config.prefix_reuse and (job.registered + 1) * size <= end:
            start = job.registered * size
            block = job.table[job.registered]
            job.name = self.pool.register(block, job.name, job.tokens(start, start + size))
            job.registered += 1

    def _leave(self) -> None:
        for job in self.running:
            if job.done:
                self.pool.release(job.table)
                job.table = []
        self.running = [job for job in self.running if not job.done]


def _steering(engine: Engine, sampling: SamplingConfig, draft: Draft) -> Steering | None:
    """Return the rules and penalties of a text, None where it has none."""
    if sampling.guidance != 1 or sampling.best_of > 1:
        raise UserError(
            f"guidance {sampling.guidance} and best_of {sampling.best_of} ask for more than one "
            "text, and the scheduler writes one a request. Leave them at 1, or call the engine."
        )
    if not Steering.matters(sampling):
        return None
    return Steering(sampling, engine.vocabulary, [draft])


def _portion(job: Job, count: int) -> Portion:
    tokens = job.tokens(job.read, job.read + count)
    return Portion(tokens, job.table, job.read, is_due=count == job.pending)


def _up(count: int, size: int) -> int:
    return -(-count // size)


if __name__ == "__main__":
    import sys
    from pathlib import Path

    from hanlin.models import load_release
    from hanlin.tokenizers import load_tokenizer

    if len(sys.argv) < 3:
        sys.exit("python -m hanlin.generation.scheduler FOLDER PROMPT...")
    place = Path(sys.argv[1])
    scheduler = Scheduler(Engine(load_release(place), load_tokenizer(place)))
    jobs = [scheduler.submit(prompt, SamplingConfig()) for prompt in sys.argv[2:]]
    scheduler.run()
    for written in jobs:
        print(repr(written.complete().text))
    print(scheduler.statistics())
