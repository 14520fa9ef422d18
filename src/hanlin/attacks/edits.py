"""An edit of a text, and the units that a change is counted in.

A unit is one Chinese character, or one word of letters and digits. An edit replaces the characters
[start, end) of the original text and nothing else, so that edits which do not overlap can be
applied together, and undone.

    python -m hanlin.attacks.edits
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["HAN", "Edit", "Span", "apply_edits", "share_out", "touched", "undo_edits", "units_of"]

Span = tuple[int, int]
"""Start and end of a stretch of characters."""
HAN = "\u3400-\u9fff\U00020000-\U000323af"
"""The Chinese characters, for a class of a pattern."""

_UNIT = re.compile(rf"[{HAN}]|[^\W_{HAN}]+(?:['’][^\W_{HAN}]+)*")


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Characters [start, end) of a text replaced by others."""

    start: int
    end: int
    new: str

    def overlaps(self, other: Edit) -> bool:
        """Whether both touch a common character."""
        return self.start < other.end and other.start < self.end


def units_of(text: str) -> list[Span]:
    """Return where each unit of a text stands.

    >>> units_of("很好 it's ok")
    [(0, 1), (1, 2), (3, 7), (8, 10)]
    """
    return [match.span() for match in _UNIT.finditer(text)]


def touched(edits: Iterable[Edit], units: Sequence[Span]) -> set[int]:
    """Return the numbers of the units that edits change."""
    return {
        number
        for edit in edits
        for number, (start, end) in enumerate(units)
        if edit.start < end and start < edit.end
    }


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return a text with edits, which do not overlap, applied.

    >>> apply_edits("好吃", [Edit(1, 2, "口乞"), Edit(0, 1, "女子")])
    '女子口乞'
    """
    parts, place = [], 0
    for edit in sorted(edits):
        parts += [text[place : edit.start], edit.new]
        place = edit.end
    return "".join([*parts, text[place:]])


def undo_edits(changed: str, original: str, edits: Iterable[Edit]) -> str:
    """Return `changed` with what the edits put in taken out again: the original, if they made it.

    >>> undo_edits("女子吃", "好吃", [Edit(0, 1, "女子")])
    '好吃'
    """
    shift, back = 0, []
    for edit in sorted(edits):
        start = edit.start + shift
        back.append(Edit(start, start + len(edit.new), original[edit.start : edit.end]))
        shift += len(edit.new) - (edit.end - edit.start)
    return apply_edits(changed, back)


def share_out(spans: Sequence[Span], values: Sequence[float], length: int) -> list[float]:
    """Hand the values of tokens to the characters that they stand for, in equal parts.

    >>> share_out([(0, 2), (2, 3)], [1.0, 3.0], 3)
    [0.5, 0.5, 3.0]
    """
    found = [0.0] * length
    for (start, end), value in zip(spans, values, strict=True):
        for place in range(start, end):
            found[place] += value / (end - start)
    return found


if __name__ == "__main__":
    print(apply_edits("味道很好", [Edit(3, 4, "女子")]))
