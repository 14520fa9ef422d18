"""One request on its way through a scheduler: what it asks, where it stands, what it holds.

python -m hanlin.generation.job
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hanlin.config import SamplingConfig
from hanlin.generation.blocks import ROOT
from hanlin.generation.draft import Completion, Draft

if TYPE_CHECKING:
    from hanlin.generation.rules import Steering

__all__ = ["Job", "shared_settings"]


@dataclass(eq=False, slots=True)
class Job:
    """A text that waits, is read, is written, or is done."""

    draft: Draft
    """The prompt and what was written after it."""
    sampling: SamplingConfig
    """How it is drawn, without what concerns this text alone (seed, limit, stop strings)."""
    chance: list[float]
    """The uniform number that each of its tokens is drawn with."""
    arrived: float = 0.0
    """When it came, on the scheduler's clock."""
    deadline: float = math.inf
    """When it ends, finished or not."""
    listener: Callable[[Job], None] | None = None
    """Called by the stepping thread after every change."""
    cancelled: bool = False
    """Set by any thread; the next step ends the text."""
    table: list[int] = field(default_factory=list)
    """The blocks that it holds, in order."""
    read: int = 0
    """Tokens whose keys and values are in its blocks."""
    reused: int = 0
    """Tokens of the prompt that were taken over from earlier texts."""
    registered: int = 0
    """Blocks of its own beginning that are offered to others."""
    name: int = ROOT
    """Name of the last of those."""
    overtaken: int = 0
    """Later requests that were let in before it."""
    first_token: float | None = None
    """When its first token was drawn, on the scheduler's clock."""
    steering: Steering | None = None
    """Its rules and penalties, where it has any."""
    session: Any = None
    """What the native core keeps of it, in place of blocks."""

    @property
    def pending(self) -> int:
        """Tokens that must be read before the next can be drawn."""
        return len(self.draft.prompt) + len(self.draft.ids) - self.read

    @property
    def written(self) -> bool:
        """Whether the prompt has been read, so that each step writes a token."""
        return self.read >= len(self.draft.prompt)

    @property
    def most_tokens(self) -> int:
        """Tokens that its blocks must hold in the end; the last one written is never read."""
        return len(self.draft.prompt) + self.draft.limit - 1

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.draft.reason is not None

    def tokens(self, start: int, end: int) -> list[int]:
        """Return tokens `start` to `end` of prompt and text."""
        prompt = self.draft.prompt
        if start >= len(prompt):
            return self.draft.ids[start - len(prompt) : end - len(prompt)]
        return prompt[start:end] + self.draft.ids[: max(0, end - len(prompt))]

    def complete(self) -> Completion:
        """Return the text of a job that is done."""
        return self.draft.complete()

    def tell(self) -> None:
        """Let the listener know of a change."""
        if self.listener is not None:
            self.listener(self)


def shared_settings(sampling: SamplingConfig) -> SamplingConfig:
    """Return the settings without those that concern one text only, so that equal ones meet."""
    return sampling.model_copy(update={"seed": None, "max_tokens": 1, "stop": ()})


if __name__ == "__main__":
    from hanlin.generation.stream import TextStream

    job = Job(Draft([5, 6, 7], 4, TextStream()), SamplingConfig(), [0.5] * 4)
    print(job.pending, job.most_tokens, job.tokens(1, 3))
