"""What a report is made of, without a word about how it looks: sections of plain blocks.

The sections' makers return these; `html` and `markdown` each know how to write every one, so both
files carry the same facts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "AXES",
    "Block",
    "Chain",
    "Chart",
    "Code",
    "Figure",
    "Figures",
    "Fold",
    "Line",
    "Link",
    "Prose",
    "Reference",
    "Report",
    "Sample",
    "Samples",
    "Section",
    "Table",
]

Role = Literal["accent", "ink", "muted"]
AXES = ("step", "tokens", "time")


@dataclass(frozen=True, slots=True)
class Prose:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One key figure: what it is, its value, and what it stands beside."""

    label: str
    value: str
    note: str = ""
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """A row of key figures."""

    items: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts; `caption` says what it shows."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A curve: points of (step, tokens, seconds, value); a `noisy` one is smoothed for the eye."""

    label: str
    points: tuple[tuple[float, float, float, float], ...]
    role: Role = "ink"
    noisy: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A level to compare a curve with."""

    label: str
    value: float
    role: Role = "muted"


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves over step, tokens and time."""

    key: str
    title: str
    lines: tuple[Line, ...]
    references: tuple[Reference, ...] = ()
    small: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A stage in the chain, or a folder outside that one starts from."""

    name: str
    kind: str
    """The stage's kind; empty for a folder outside."""
    start: str = ""
    """What it starts from; empty starts anew."""
    teachers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What it read and what was measured, a line each."""
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Chain:
    """The stages and what starts from what, in order."""

    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """A text that the model wrote after a prompt."""

    heading: str
    prompt: str
    text: str


@dataclass(frozen=True, slots=True)
class Samples:
    """Texts side by side under one title; `clipped` ones show their beginning first."""

    title: str
    items: tuple[Sample, ...]
    clipped: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """Text to be shown as it is."""

    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Fold:
    """Blocks that are folded away at first."""

    summary: str
    blocks: tuple[Block, ...]


Block = Prose | Figures | Table | Chart | Chain | Samples | Code | Fold


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of the report."""

    key: str
    title: str
    blocks: tuple[Block, ...]
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The whole report."""

    title: str
    sentence: str
    status: str
    written: str
    sections: tuple[Section, ...] = field(default=())
