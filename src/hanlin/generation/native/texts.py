"""The texts of a scheduler in the native core: a session each, read together.

One token of every text that is being written and portions of the prompts lie side by side as the
rows of the same products, so that a step reads the weights as few times as hold them all. Every row
sums in the order that it has alone, so that a text is, to the bit, the one that it would be alone:
there is nothing that `deterministic` must add.

    Scheduler(engine)  # a `NativeEngine`, whose `texts` are these
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hanlin.config import BatchingConfig, SamplingConfig
from hanlin.errors import UserError
from hanlin.generation.job import Job, shared_settings
from hanlin.generation.native.memory import Kept, SessionMemory
from hanlin.generation.native.model import Portion
from hanlin.generation.native.sampling import (
    History,
    draw,
    needs_history,
    uniforms,
    unknown_settings,
)
from hanlin.generation.prompts import Prompt
from hanlin.generation.texts import blocks_of

if TYPE_CHECKING:
    from hanlin.generation.native.engine import NativeEngine

__all__ = ["NativeTexts"]


_PROMPT_TOKENS = 64
"""Tokens of prompts that a step reads beside texts that are being written, who wait for it. More at
once would not be faster: a pass of the core has 48 rows."""


@dataclass(slots=True)
class _Held:
    """What the core keeps of one text, and what it is drawn with."""

    kept: Kept
    history: History | None


class NativeTexts:
    """Texts of which each has a session of the core."""

    unit = 1

    def __init__(self, engine: NativeEngine, config: BatchingConfig) -> None:
        """Make room in the books; memory comes with the texts."""
        self.engine, self.config = engine, config
        size, context = config.block_tokens, engine.model.config.context_length
        tokens = config.cache_tokens or config.max_running * blocks_of(context, size) * size
        self.memory = SessionMemory(max(1, tokens // size), size)
        self.step_tokens = config.step_tokens or config.max_running + _PROMPT_TOKENS
        self._running: list[Job] = []

    def begin(self, prompt: Prompt, sampling: SamplingConfig) -> Job:
        """Return a checked request, which holds nothing yet."""
        if unknown := unknown_settings(sampling):
            raise UserError(
                f"The native engine does not follow the setting {unknown[0]}. Leave it out, or "
                "serve the model with torch."
            )
        draft = self.engine.begin(prompt, sampling)
        chance = uniforms(sampling.seed, draft.limit).tolist()
        return Job(draft, shared_settings(sampling), chance)

    def hold(self, job: Job) -> bool:
        """Give a job a session, with what it has in common with another text copied into it."""
        blocks = blocks_of(job.most_tokens, self.memory.block_tokens)
        if blocks > self.memory.available:
            return False
        prompt = job.draft.prompt
        session = self.engine.model.session(job.most_tokens, self.config.cache_bits)
        if self.config.prefix_reuse:
            # The last token is always read anew, because its logits are needed.
            source, length = self.memory.match(prompt[:-1], map(_kept, self._running))
            if length >= self.memory.block_tokens:  # less is not worth the looking up
                session.take_over(source, length)
                job.read = job.reused = length
        self.memory.take(blocks)
        history = None
        if job.steering is None and needs_history(job.sampling):
            history = History(prompt, self.engine.tokenizer.vocab_size)
        tokens = np.asarray(prompt[: job.read], dtype=np.int64)
        job.session = _Held(Kept(session, tokens, blocks), history)
        self._running.append(job)
        return True

    def advance(self, portions: Sequence[tuple[Job, int]]) -> list[int]:
        """Read so many further tokens of each job; return the next token of those read up."""
        logits = self.engine.read(
            [
                Portion(
                    _kept(job).session,
                    job.tokens(job.read, job.read + count),
                    is_wanted=count == job.pending,
                )
                for job, count in portions
            ]
        )
        return self.draw([job for job, count in portions if count == job.pending], logits)

    def draw(self, jobs: Sequence[Job], logits: Sequence[NDArray[np.float32]]) -> list[int]:
        """Return the next token of each job, drawn from its logits (V,)."""
        return [self._draw(job, scores) for job, scores in zip(jobs, logits, strict=True)]

    def keep(self, job: Job) -> None:
        """Note what the job has read, for later texts to take over."""
        kept = _kept(job)
        # While it is being written its prompt is enough; all of it is noted when it ends.
        if self.config.prefix_reuse and job.read <= len(job.draft.prompt):
            kept.tokens = np.asarray(job.tokens(0, job.read), dtype=np.int64)

    def take(self, job: Job, token: int) -> None:
        """Write a token, or end the text at an end token."""
        self.engine.take(job.draft, token)

    def release(self, job: Job) -> None:
        """Let go of the job's session, which waits for a text with the same beginning."""
        kept = _kept(job)
        kept.tokens = np.asarray(job.tokens(0, job.read), dtype=np.int64)
        self.memory.give_back(kept, park=self.config.prefix_reuse)
        self._running.remove(job)
        job.session = None

    def _draw(self, job: Job, logits: NDArray[np.float32]) -> int:
        scores = self.engine.drawable(logits, job.draft, job.sampling)
        chance, history = job.chance[len(job.draft.ids)], job.session.history
        if history is None:
            return draw(scores, job.sampling, chance)
        token = draw(history.penalise(scores, job.sampling), job.sampling, chance)
        history.add(token)
        return token


def _kept(job: Job) -> Kept:
    held: _Held = job.session
    return held.kept
