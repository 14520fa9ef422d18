"""What a suite is: questions with choices, of which a model finds one the likeliest.

An `Item` is a context and its possible continuations. A minimal pair is an item without a context
whose continuations are whole sentences; a last word to be guessed is an item with one continuation,
right where it is what the model would write. A `Suite` says how an item is read from a record of
a file, how context and choice are joined, and by what a choice's likelihood is divided.

    python -m hanlin.evaluation.suites.items
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hanlin.errors import DataError
from hanlin.text.documents import Reading
from hanlin.text.streams import read_text

__all__ = ["NORMS", "Item", "Norm", "Reader", "Suite", "read_items"]

Norm = Literal["sum", "bytes", "characters", "tokens"]
NORMS: tuple[Norm, ...] = ("sum", "bytes", "characters", "tokens")


@dataclass(frozen=True, slots=True)
class Item:
    """A context, what may follow it, and which of that is right."""

    id: str
    context: str
    choices: tuple[str, ...]
    """One alone must be what the model writes."""
    answer: int = 0
    groups: Mapping[str, str] = field(default_factory=dict)
    """By what scores are shown apart, such as the phenomenon of a minimal pair."""

    def __post_init__(self) -> None:
        """Check that there are choices and that the answer is one of them."""
        if not self.choices or not all(choice.strip() for choice in self.choices):
            raise ValueError(f"the choices {list(self.choices)} are none, or one is blank")
        if not 0 <= self.answer < len(self.choices):
            raise ValueError(f"the answer {self.answer} is none of {len(self.choices)} choices")


Reader = Callable[[Mapping[str, Any]], Item]
"""Makes an item of a record; raises KeyError, TypeError or ValueError where it is none."""


@dataclass(frozen=True, slots=True)
class Suite:
    """How a set of items is read and judged."""

    name: str
    summary: str
    """What it asks, in one line."""
    file: str
    """The name of its data file, up to the first full stop."""
    read: Reader
    norm: Norm = "sum"
    """What the likelihood of a choice is divided by in the score that counts."""
    joint: str = ""
    """What stands between a context and a choice."""


def read_items(path: Path, suite: Suite) -> list[Item]:
    """Read a suite's items from JSON lines, packed or not.

    Raises:
        DataError: the file cannot be read, holds nothing, or a line is no item of the suite.
    """
    items: list[Item] = []
    for number, line in enumerate(read_text(path, Reading()).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            item = suite.read({"id": number, **record})
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise DataError(
                f"{path}, line {number}: no item of the suite {suite.name!r} ({error!r}). "
                "Repair the line, or leave it out."
            ) from error
        items.append(item)
    if not items:
        raise DataError(f"{path} holds no item. Give a file of JSON lines, one item a line.")
    return items


if __name__ == "__main__":
    print(Item("1", "天空是", ("蓝色的。", "咸的。")))
