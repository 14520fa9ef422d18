"""What a task is: its examples, how they are written as tokens, and how a model is measured on it.

An example is written as one document: what is given, which is only read, then what is to be
answered, which is learnt, its end included. A task of one's own is one class in one file:

    class Rhyme(Task[Pair]):
        name = "rhyme"
        control = ("<|spare_0|>",)

        def read(self, record): ...       # a record of a file -> examples
        def encode(self, example, tokenizer): ...
        def measure(self, engine, examples): ...

    TASK = Rhyme()

    python -m hanlin.tasks.base
"""

from __future__ import annotations

import itertools
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hanlin.config import SamplingConfig
from hanlin.errors import DataError, TokenizerError, UserError

if TYPE_CHECKING:
    from hanlin.generation import Engine
    from hanlin.tasks.sources import Record
    from hanlin.text.world import Language, Story
    from hanlin.tokenizers import Tokenizer

__all__ = [
    "Encoded",
    "Measured",
    "Task",
    "answer_limit",
    "check_control",
    "greedy",
    "running_ids",
    "running_text",
    "write_answers",
]

E = TypeVar("E")
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Encoded:
    """An example as tokens."""

    ids: tuple[int, ...]
    learnt: tuple[bool, ...]
    """Whether each token is a target."""

    @classmethod
    def of(cls, prompt: Sequence[int], answer: Sequence[int]) -> Encoded:
        """Join what is given and what is learnt."""
        return cls((*prompt, *answer), (False,) * len(prompt) + (True,) * len(answer))

    @property
    def prompt(self) -> tuple[int, ...]:
        """The tokens before the first that is learnt."""
        end = self.learnt.index(True) if True in self.learnt else len(self.ids)
        return self.ids[:end]

    def answers(self) -> Iterator[list[int]]:
        """Yield each run of tokens that are learnt."""
        start = 0
        for learnt, run in itertools.groupby(self.learnt):
            end = start + sum(1 for _ in run)
            if learnt:
                yield list(self.ids[start:end])
            start = end


@dataclass(frozen=True, slots=True)
class Measured:
    """How a model did on some examples."""

    figures: Mapping[str, Any]
    """By name; None where nothing could be measured."""
    replies: Sequence[str] = field(default=(), repr=False)
    """What the model answered."""
    references: Sequence[str] = field(default=(), repr=False)
    """What should have been answered."""


class Task(ABC, Generic[E]):
    """A labelled task."""

    name: str
    """Its name in recipes, in figures, and in what a release was taught."""
    control: tuple[str, ...]
    """The control tokens that its format needs."""
    scores: tuple[str, ...] = ()
    """Figures of `measure` by which a proof compares models, higher being better: the first that
    was measured; dots lead into tables."""
    bars: Mapping[str, float] = {}
    """What a proof asks of its figures on the toy world, where every answer can be checked."""

    @abstractmethod
    def encode(self, example: E, tokenizer: Tokenizer) -> Encoded:
        """Return an example as tokens, `<|endoftext|>` first."""

    @abstractmethod
    def measure(self, engine: Engine, examples: Sequence[E]) -> Measured:
        """Return how a model does on examples that it never saw."""

    def read(self, record: Record) -> Iterable[E]:
        """Return the examples in one record of a user's file."""
        raise DataError(f"{record.place}: the task {self.name!r} reads no files.")

    def invent(self, story: Story, language: Language, rng: random.Random) -> Iterable[E]:
        """Return the examples that a story of the toy world gives; none unless defined."""
        return ()

    def rewrite(self, example: E, change: Callable[[str], str]) -> E:
        """Return an example whose given text is changed: what an attack on the task needs.

        Raises:
            UserError: the task, or this example, has no text that could be changed by itself.
        """
        raise UserError(
            f"The task {self.name!r} does not say how its input is rewritten, so it cannot be "
            "attacked. Define its method `rewrite`."
        )

    def drill(self, story: Story, language: Language, rng: random.Random) -> Iterable[E]:
        """Return examples of a story that training takes beside those of `invent`.

        None of them is held out: what is measured stays what `invent` gives.
        """
        return ()

    def language(self, example: E) -> str:
        """Return the language that an example is counted under; one group unless defined."""
        return "all"


def greedy(max_tokens: int) -> SamplingConfig:
    """Return the way of drawing that always takes the likeliest token."""
    return SamplingConfig(temperature=0, top_p=1, max_tokens=max_tokens)


def write_answers(
    engine: Engine, prompts: Sequence[Sequence[int]], max_tokens: int
) -> list[list[int]]:
    """Return the tokens that a model writes after each prompt, the likeliest always."""
    written: list[list[int]] = []
    for start in range(0, len(prompts), _BATCH):
        batch = prompts[start : start + _BATCH]
        written += [done.ids for done in engine.generate_batch(batch, greedy(max_tokens))]
    return written


def running_text(text: str) -> str:
    """Return a text as it stands in the middle of another: an English word after a space.

    The space is a part of the word's first token. A name that begins an example without one would
    be other tokens, mostly several: a spelling of its own to learn, and hard to take up later.
    What is written is stripped again.

    >>> running_text("Ming slept."), running_text("小明睡着了。")
    (' Ming slept.', '小明睡着了。')
    """
    return f" {text}" if text[:1].isascii() and text[:1].isalnum() else text


def running_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """Return a text in the tokens that it has in the middle of another."""
    return tokenizer.encode(running_text(text))


def answer_limit(tokenizer: Tokenizer, references: Iterable[str]) -> int:
    """Return the tokens that an answer may have: half as many again as the longest reference."""
    longest = max(len(running_ids(tokenizer, reference)) for reference in references)
    return longest * 3 // 2 + 8


def check_control(tokenizer: Tokenizer, task: str, names: Iterable[str]) -> None:
    """Check that a tokenizer has the control tokens of a task.

    Raises:
        TokenizerError: it lacks some.
    """
    missing = [name for name in names if name not in tokenizer.control]
    if missing:
        raise TokenizerError(
            f"This {tokenizer.kind} tokenizer lacks the control tokens {', '.join(missing)} of the "
            f"task {task!r}. Train with Hanlin's tokenizer, or leave the task out."
        )


if __name__ == "__main__":
    print(Encoded.of([0, 100, 101], [102, 0]))
