"""The chain of stages as hand-written SVG: a row a stage, lines at the left, words at the right.

Each stage is a dot in a column; a stage that goes on from the one above it stays in its column,
and any other gets a column of its own, so that lines of descent read like a railway map.

    python -m hanlin.runs.report.chain_svg > chain.svg
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import PurePath

from hanlin.runs.report.blocks import Chain, Link
from hanlin.runs.report.phrases import Language, Phrase, listed, translate

__all__ = ["chain_svg", "chain_text"]

_WIDTH, _LEFT, _COLUMN, _TOP, _LINE = 760, 16, 26, 18, 17
_CHARACTERS = 88


def chain_svg(chain: Chain, language: Language = "en") -> str:
    """Return the drawing; what it says stands in it as text."""
    columns = _columns(chain.links)
    heights = [_LINE * (1 + len(_lines(link, language))) + 16 for link in chain.links]
    tops = [_TOP + sum(heights[:place]) for place in range(len(heights))]
    places = {
        link.name: (_LEFT + _COLUMN * column, top)
        for link, column, top in zip(chain.links, columns, tops, strict=True)
    }
    right = _LEFT + _COLUMN * (max(columns, default=0) + 1) + 4
    marks = [mark for link in chain.links for mark in _edges(link, places)]
    for link in chain.links:
        marks += _words(link, *places[link.name], right, language)
    height = _TOP + sum(heights)
    title = translate(Phrase("The chain of stages"), language)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{title}">'
        f"{''.join(marks)}</svg>"
    )


def chain_text(chain: Chain, language: Language = "en") -> str:
    """Return the same as lines of text.

    >>> print(chain_text(Chain((Link("base", "language"), Link("more", "language", "base")))))
    o base (language), starts anew
    o more (language), from base
    """
    lines = []
    for link in chain.links:
        lines.append(f"o {link.name}{translate(_after(link), language)}")
        lines += [f"|   {note}" for note in link.notes]
    return "\n".join(lines)


def _after(link: Link) -> str:
    start = descent(link)
    return Phrase(" ({kind}), {start}", kind=link.kind, start=start) if start else ""


def descent(link: Link) -> str:
    """Say what a stage starts from and who teaches it; nothing of a folder outside."""
    if not link.kind:
        return ""
    start = Phrase("from {start}", start=link.start) if link.start else Phrase("starts anew")
    if not link.teachers:
        return start
    return Phrase("{start}, taught by {teachers}", start=start, teachers=listed(link.teachers))


def _columns(links: Sequence[Link]) -> list[int]:
    """Return the column of each link."""
    columns: dict[str, int] = {}
    ends: list[str] = []
    for link in links:
        if link.start in ends:
            column = ends.index(link.start)
            ends[column] = link.name
        else:
            column = len(ends)
            ends.append(link.name)
        columns[link.name] = column
    return [columns[link.name] for link in links]


def _edges(link: Link, places: Mapping[str, tuple[float, float]]) -> list[str]:
    pairs = [(link.start, "curve accent")] if link.start else []
    pairs += [(teacher, "reference") for teacher in link.teachers]
    x, y = places[link.name]
    marks = []
    for name, style in pairs:
        if name not in places:
            continue
        from_x, from_y = places[name]
        middle = y - 14
        marks.append(
            f'<path class="{style}" fill="none" d="M{from_x} {from_y}L{from_x} {middle}L{x} {y}"/>'
        )
    return marks


def _words(link: Link, x: float, y: float, right: float, language: Language) -> list[str]:
    style = "accent" if link.finished else "muted"
    marks = [f'<circle class="dot {style}" cx="{x}" cy="{y}" r="5"/>']
    title = PurePath(link.name).name if not link.kind else link.name
    marks.append(
        f'<text class="label ink" x="{right}" y="{y + 4}">{escape(title)}'
        f'<tspan class="faint" dx="8">{escape(link.kind)}</tspan></text>'
    )
    for number, line in enumerate(_lines(link, language), start=1):
        marks.append(
            f'<text class="label" x="{right}" y="{y + 4 + number * _LINE}">{escape(line)}</text>'
        )
    return marks


def _lines(link: Link, language: Language) -> list[str]:
    start = translate(descent(link), language)
    lines = [*([start] if start else []), *link.notes]
    return [line if len(line) <= _CHARACTERS else f"{line[: _CHARACTERS - 1]}…" for line in lines]


if __name__ == "__main__":
    print(
        chain_svg(
            Chain(
                (
                    Link("parent", "language", notes=("bits per byte: English 1.2",)),
                    Link("teacher", "distil", "parent", ("parent",), finished=True),
                    Link("student", "distil", "", ("teacher",)),
                )
            )
        )
    )
