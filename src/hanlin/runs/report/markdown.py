"""The report as Markdown: the same blocks, curves as tables of a few steps.

Texts that a model wrote may hold anything; they go into fences longer than any run of backticks in
them, and table cells have their special characters escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hanlin.planning.units import count, exact
from hanlin.runs.report import blocks
from hanlin.runs.report.chain_svg import chain_text
from hanlin.runs.report.curves import Point, thin
from hanlin.runs.report.phrases import Language, Phrase, translate
from hanlin.runs.report.words import time_text

__all__ = ["render_markdown"]

_ROWS_OF_A_CURVE = 12


def render_markdown(report: blocks.Report, language: Language = "en") -> str:
    """Return the report as Markdown text in a language."""
    about = Phrase("Status: {status}. Written {time}.", status=report.status, time=report.written)
    report = translate(report, language)
    lines = [f"# {_inline(report.title)}", "", _inline(report.sentence), ""]
    lines += [translate(about, language), ""]
    for section in report.sections:
        lines += [f"## {_inline(section.title)}", ""]
        if section.lead:
            lines += [_inline(section.lead, code=True), ""]
        for block in section.blocks:
            lines.extend(_block(block, language))
    return "\n".join(lines).rstrip() + "\n"


def _block(block: blocks.Block, language: Language) -> Iterator[str]:
    match block:
        case blocks.Prose(text):
            yield from (_inline(text, code=True), "")
        case blocks.Figures(items):
            for item in items:
                note = f" ({_inline(item.note)})" if item.note else ""
                yield f"- {_inline(item.label)}: **{_inline(item.value)}**{note}"
            yield ""
        case blocks.Table():
            yield from _table(block)
        case blocks.Chart():
            yield from _chart(block, language)
        case blocks.Samples():
            yield from _samples(block)
        case blocks.Code() | blocks.Chain():
            yield from _verbatim(block, language)
        case blocks.Fold(summary, inner):
            yield from (f"### {_inline(summary)}", "")
            for each in inner:
                yield from _block(each, language)


def _table(block: blocks.Table) -> Iterator[str]:
    if not block.rows or not block.headers:
        return
    if block.caption:
        yield from (f"**{_inline(block.caption)}**", "")
    yield _row(block.headers)
    yield _row(["---"] * len(block.headers))
    yield from (_row([_inline(cell) for cell in row]) for row in block.rows)
    yield ""


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _chart(chart: blocks.Chart, language: Language) -> Iterator[str]:
    for line in chart.lines:
        name = f"{chart.title}: {line.label}" if line.label else chart.title
        points = _few(line.points)
        rows = tuple(
            (exact(point[0]), count(point[1]), time_text(point[2]), exact(point[3]))
            for point in points
        )
        headers = tuple(map(Phrase, ("step", "tokens", "time", "value")))
        yield from _table(translate(blocks.Table(headers, rows, name), language))
    for reference in chart.references:
        yield f"- {_inline(reference.label)}: {exact(reference.value)}"
    if chart.references:
        yield ""


def _few(points: tuple[Point, ...]) -> tuple[Point, ...]:
    if len(points) <= _ROWS_OF_A_CURVE:
        return thin(points, _ROWS_OF_A_CURVE)
    last = len(points) - 1
    places = {round(n * last / (_ROWS_OF_A_CURVE - 1)) for n in range(_ROWS_OF_A_CURVE)}
    return tuple(points[place] for place in sorted(places))


def _samples(block: blocks.Samples) -> Iterator[str]:
    yield from (f"**{_inline(block.title)}**", "")
    for item in block.items:
        if item.heading:
            yield from (_inline(item.heading), "")
        yield from _fence(item.prompt + item.text, "text")


def _verbatim(block: blocks.Code | blocks.Chain, language: Language) -> Iterator[str]:
    if isinstance(block, blocks.Chain):
        return _fence(chain_text(block, language), "text")
    return _fence(block.text, block.language)


def _fence(text: str, language: str) -> Iterator[str]:
    runs = [len(run) for run in re.findall(r"`+", text)]
    fence = "`" * max(3, max(runs, default=0) + 1)
    yield from (f"{fence}{language}", text.rstrip("\n"), fence, "")


def _inline(text: str, *, code: bool = False) -> str:
    special = r"([\\*_\[\]<>|#])" if code else r"([\\`*_\[\]<>|#])"
    return re.sub(special, r"\\\1", " ".join(text.split()))
