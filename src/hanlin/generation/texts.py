"""What a scheduler asks of an engine: a batch of texts that can be read and written by steps.

The scheduler decides who is let in, what a step reads and who leaves. How tokens become the next
ones, and where keys and values lie meanwhile, is the engine's: `hanlin.generation.paged_texts` for
torch, `hanlin.generation.native.texts` for the native core.

    Scheduler(engine)  # asks `engine.texts(config)` for its batch
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from hanlin.config import BatchingConfig, SamplingConfig
from hanlin.generation.prompts import Prompt

if TYPE_CHECKING:
    from hanlin.generation.job import Job

__all__ = ["Memory", "Texts", "Writer", "blocks_of"]


class Memory(Protocol):
    """Where keys and values lie, counted in blocks of `block_tokens` tokens."""

    num_blocks: int
    block_tokens: int
    evictions: int
    """Blocks that a later text could have taken over, given up for another."""

    @property
    def held(self) -> int:
        """Blocks that texts hold."""

    @property
    def available(self) -> int:
        """Blocks that no text holds, registered ones among them."""

    @property
    def registered(self) -> int:
        """Blocks that a later text can take over."""


class Texts(Protocol):
    """The texts of one scheduler. `begin` may be used from any thread, the rest from one."""

    @property
    def memory(self) -> Memory:
        """Where keys and values lie."""

    @property
    def step_tokens(self) -> int:
        """Tokens that a step reads at most."""

    @property
    def unit(self) -> int:
        """Tokens of a prompt that are read together: a portion that ends none is a multiple."""

    def begin(self, prompt: Prompt, sampling: SamplingConfig) -> Job:
        """Return a checked request, which holds nothing yet.

        Raises:
            UserError: if the prompt leaves no room in the model's context, or a rule of drawing
                cannot be followed.
        """

    def hold(self, job: Job) -> bool:
        """Give a job its memory, with what it can take over of earlier texts, if there is room."""

    def advance(self, portions: Sequence[tuple[Job, int]]) -> list[int]:
        """Read so many further tokens of each job; return the next token of those read up."""

    def keep(self, job: Job) -> None:
        """Offer what the job has read to later texts."""

    def take(self, job: Job, token: int) -> None:
        """Write a token, or end the text at an end token."""

    def release(self, job: Job) -> None:
        """Take the job's memory back."""


class Writer(Protocol):
    """An engine, as a scheduler needs it."""

    def texts(self, config: BatchingConfig) -> Texts:
        """Return an empty batch, whose memory is taken."""


def blocks_of(tokens: int, size: int) -> int:
    """Return how many blocks of `size` tokens hold so many.

    >>> blocks_of(17, 16)
    2
    """
    return -(-tokens // size)
