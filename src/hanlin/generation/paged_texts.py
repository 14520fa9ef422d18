"""The texts of a scheduler in torch: one pass of the decoder over pages of keys and values.

Full blocks are offered to later texts with the same beginning; `hanlin.generation.blocks` keeps the
books, `hanlin.generation.reading` reads, and `hanlin.generation.drawing` draws.

    Scheduler(engine)  # an `Engine`, whose `texts` are these
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hanlin.config import BatchingConfig, SamplingConfig
from hanlin.generation.blocks import BlockPool
from hanlin.generation.drawing import begin_job, draw_next
from hanlin.generation.job import Job
from hanlin.generation.prompts import Prompt
from hanlin.generation.reading import Portion, Reader
from hanlin.generation.texts import blocks_of

if TYPE_CHECKING:
    from hanlin.generation.engine import Engine

__all__ = ["PagedTexts"]

_STEP_TOKENS = 512
"""Tokens that a step reads at most: each step costs torch some time however little it reads."""


class PagedTexts:
    """Texts whose keys and values lie in blocks of one cache."""

    def __init__(self, engine: Engine, config: BatchingConfig) -> None:
        """Take the cache's memory."""
        self.engine, self.config = engine, config
        size, context = config.block_tokens, engine.model.config.context_length
        tokens = config.cache_tokens or config.max_running * blocks_of(context, size) * size
        self.memory = BlockPool(max(1, tokens // size), size)
        self.reader = Reader(engine.model, config, self.memory.num_blocks)
        self.unit = size if config.deterministic else 1
        self.step_tokens = config.step_tokens or max(_STEP_TOKENS, config.max_running + size)

    def begin(self, prompt: Prompt, sampling: SamplingConfig) -> Job:
        """Return a checked request, which holds nothing yet."""
        return begin_job(self.engine.begin(prompt, sampling), sampling, self.engine.vocabulary)

    def hold(self, job: Job) -> bool:
        """Give a job its blocks, those of an earlier text's equal beginning among them."""
        size, prompt = self.memory.block_tokens, job.draft.prompt
        # The last token is always read anew, because its logits are needed.
        shared = self.memory.match(prompt[:-1]) if self.config.prefix_reuse else []
        table = self.memory.take(shared, blocks_of(job.most_tokens, size) - len(shared))
        if table is None:
            return False
        job.table, job.registered = table, len(shared)
        job.read = job.reused = len(shared) * size
        if shared:
            job.name = self.memory.name(shared[-1])
        return True

    def advance(self, portions: Sequence[tuple[Job, int]]) -> list[int]:
        """Read so many further tokens of each job; return the next token of those read up."""
        due = [job for job, count in portions if count == job.pending]
        logits = self.reader.read([_portion(job, count) for job, count in portions])
        logits = logits[:, : self.engine.tokenizer.vocab_size]
        return draw_next(logits, due, self.engine.vocabulary, one_by_one=self.config.deterministic)

    def keep(self, job: Job) -> None:
        """Offer the job's full blocks to later texts.

        Under `deterministic` only those of the prompt: what was read a token at a time differs, in
        the last bits, from what a prompt's reading makes of it.
        """
        size = self.memory.block_tokens
        end = min(job.read, len(job.draft.prompt)) if self.config.deterministic else job.read
        while self.config.prefix_reuse and (job.registered + 1) * size <= end:
            start = job.registered * size
            block = job.table[job.registered]
            job.name = self.memory.register(block, job.name, job.tokens(start, start + size))
            job.registered += 1

    def take(self, job: Job, token: int) -> None:
        """Write a token, or end the text at an end token."""
        self.engine.take(job.draft, token)

    def release(self, job: Job) -> None:
        """Let go of the job's blocks."""
        self.memory.release(job.table)
        job.table = []


def _portion(job: Job, count: int) -> Portion:
    tokens = job.tokens(job.read, job.read + count)
    return Portion(tokens, job.table, job.read, is_due=count == job.pending)
