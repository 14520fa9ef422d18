"""The report as one self-contained HTML page: inline style, drawn curves, a small inline script.

Nothing is loaded from anywhere, and a content policy says so to the browser: the page's own style
and script are allowed by their hashes, so a sample that holds HTML stays text twice over. Without
scripts the page is whole; the script adds values under the pointer and a choice of axes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from hanlin.runs.report import blocks
from hanlin.runs.report.chain_svg import chain_svg
from hanlin.runs.report.chart import SMOOTHING, chart_svg
from hanlin.runs.report.phrases import Language, Phrase, translate
from hanlin.runs.report.words import label, text_language

__all__ = ["render_html"]

_NUMBER = re.compile(r"[-+−]?\d[\d.,]*($|[^\d:-])|—$")
_TAGS = {"en": "en", "zh": "zh-Hans"}
_SCRIPT_WORDS = {
    "tokens": Phrase("{value} tokens", value="{}"),
    "step": Phrase("step {step}", step="{}"),
    "h": Phrase("{text0} h", text0="{}"),
    "min": Phrase("{text0} min", text0="{}"),
    "s": Phrase("{text0} s", text0="{}"),
}
"""What the script says of a place on an axis, `{}` being the number."""
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class _Page:
    """A page in one language."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language
        self.tag = _TAGS[language]

    def whole(self, report: blocks.Report, other: str) -> str:
        """Return the page; `other` is the file of the page in the other language."""
        state = report.status.split()[0]
        report = translate(report, self.language)
        style, script = _asset("page.css"), _asset("page.js")
        charts = [chart for section in report.sections for chart in _charts(section.blocks)]
        words = {name: self.say(phrase) for name, phrase in _SCRIPT_WORDS.items()}
        data = {"words": words, "charts": [_chart_data(chart) for chart in charts]}
        page = [
            f'<!doctype html>\n<html lang="{self.tag}">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
            f"style-src '{_hash(style)}'; script-src '{_hash(script)}'\">",
            f"<title>{_text(report.title)} · Hanlin</title>",
            f"<style>{style}</style>\n</head>\n<body>",
            *self._header(report, state, other),
            "<main>",
            *(part for section in report.sections for part in self._section(section)),
            "</main>",
            '<script type="application/json" id="data">'
            f"{_script_safe(json.dumps(data, ensure_ascii=True))}</script>",
            f"<script>{script}</script>\n</body>\n</html>\n",
        ]
        return "\n".join(page)

    def say(self, text: str) -> str:
        return _text(translate(text, self.language))

    def _header(self, report: blocks.Report, state: str, other: str) -> Iterator[str]:
        yield '<header><p class="seal" lang="zh-Hant">翰林</p>'
        yield f"<h1>{_text(report.title)}</h1>"
        yield f'<p class="sentence">{_text(report.sentence)}</p>'
        yield f'<p class="status"><span class="state {_text(state)}">{_text(report.status)}</span>'
        yield f"<span>{self.say(Phrase('written {time}', time=report.written))}</span>"
        if other:
            far, name = ("en", "English") if self.language == "zh" else ("zh-Hans", "中文")
            yield f'<a href="{other}" lang="{far}" hreflang="{far}">{name}</a>'
        yield f'</p><nav aria-label="{self.say(Phrase("Sections"))}">'
        yield from (f'<a href="#{_text(s.key)}">{_text(s.title)}</a>' for s in report.sections)
        yield "</nav></header>"

    def _section(self, section: blocks.Section) -> Iterator[str]:
        yield f'<section id="{_text(section.key)}"><h2>{_text(section.title)}</h2>'
        if section.lead:
            yield f'<p class="lead">{_prose(section.lead)}</p>'
        if section.key == "curves":
            yield self._controls()
        yield from self._blocks(section.blocks)
        yield "</section>"

    def _blocks(self, items: tuple[blocks.Block, ...]) -> Iterator[str]:
        """Write blocks in order; charts that follow each other share a grid."""
        charts: list[blocks.Chart] = []
        for block in items:
            if isinstance(block, blocks.Chart):
                charts.append(block)
                continue
            yield from _chart_grid(charts)
            charts = []
            yield from self._block(block)
        yield from _chart_grid(charts)

    def _block(self, block: blocks.Block) -> Iterator[str]:
        match block:
            case blocks.Prose(text):
                yield f"<p>{_prose(text)}</p>"
            case blocks.Figures(items):
                yield '<dl class="figures">'
                yield from (_figure(item) for item in items)
                yield "</dl>"
            case blocks.Table():
                yield self._table(block)
            case blocks.Chain():
                drawing = chain_svg(block, self.language)
                yield f'<div class="chain">{_printable(drawing)}</div>'
            case blocks.Samples():
                yield from self._samples(block)
            case blocks.Code(text):
                yield f'<pre tabindex="0"><code>{_text(text)}</code></pre>'
            case blocks.Fold(summary, inner):
                yield f"<details><summary>{_text(summary)}</summary>"
                yield from self._blocks(inner)
                yield "</details>"

    def _table(self, block: blocks.Table) -> str:
        if not block.rows or not block.headers:
            return ""
        columns = list(zip(*block.rows, strict=True))
        numeric = [n > 0 and all(_NUMBER.match(cell) for cell in c) for n, c in enumerate(columns)]
        marks = [' class="number"' if is_number else "" for is_number in numeric]
        caption = f"<caption>{_text(block.caption)}</caption>" if block.caption else ""
        head = "".join(
            f'<th scope="col"{mark}>{_text(name)}</th>'
            for name, mark in zip(block.headers, marks, strict=True)
        )
        head = f"<thead><tr>{head}</tr></thead>" if any(block.headers) else ""
        rows = "".join(self._row(row, block.headers, marks) for row in block.rows)
        whole = f"<table>{caption}{head}<tbody>{rows}</tbody></table>"
        return f'<div class="scroll" tabindex="0">{whole}</div>'

    def _row(self, row: tuple[str, ...], headers: tuple[str, ...], marks: list[str]) -> str:
        verdict = self.say(label("verdict"))
        cells = [f'<th scope="row"{self._lang(row[0])}>{_text(row[0])}</th>']
        for cell, header, mark in zip(row[1:], headers[1:], marks[1:], strict=True):
            inner = (
                f'<span class="verdict">{_text(cell)}</span>' if header == verdict else _text(cell)
            )
            cells.append(f"<td{mark}{self._lang(cell)}>{inner}</td>")
        return f"<tr>{''.join(cells)}</tr>"

    def _samples(self, block: blocks.Samples) -> Iterator[str]:
        yield f"<h3{self._lang(block.title)}>{_text(block.title)}</h3>"
        yield f'<div class="samples{" clipped" if block.clipped else ""}" tabindex="0">'
        for item in block.items:
            prompt = f"<b>{_text(item.prompt)}</b>" if item.prompt else ""
            heading = f"<figcaption>{_text(item.heading)}</figcaption>" if item.heading else ""
            whole = item.prompt + item.text
            yield (
                f'<figure>{heading}<blockquote lang="{text_language(whole)}">{prompt}'
                f"{_text(item.text.rstrip())}</blockquote></figure>"
            )
        yield "</div>"

    def _controls(self) -> str:
        axes = "".join(
            f'<label><input type="radio" name="axis" value="{place}"'
            f"{' checked' if not place else ''}><span>{self.say(label(name))}</span></label>"
            for place, name in enumerate(blocks.AXES)
        )
        return (
            f'<form class="controls" aria-label="{self.say(Phrase("Charts"))}">'
            f"<fieldset><legend>{self.say(Phrase('over'))}</legend>{axes}</fieldset>"
            '<label class="check"><input type="checkbox" name="log"> '
            f"{self.say(Phrase('logarithmic'))}</label>"
            f'<label class="range">{self.say(Phrase("smoothing"))} '
            '<input type="range" name="smoothing" min="0" max="0.98" '
            f'step="0.02" value="{SMOOTHING}"></label></form>'
        )

    def _lang(self, text: str) -> str:
        """Mark a text that is not in the page's language."""
        found = text_language(text)
        plain = found == self.tag or not any(letter.isalpha() for letter in text)
        return "" if plain else f' lang="{found}"'


def render_html(report: blocks.Report, language: Language = "en", other: str = "") -> str:
    """Return the whole page in a language; `other` is the file of the page in the other."""
    return _Page(language).whole(report, other)


def _figure(item: blocks.Figure) -> str:
    note = f'<dd class="note">{_text(item.note)}</dd>' if item.note else ""
    strong = ' class="strong"' if item.strong else ""
    return (
        f"<div{strong}><dt>{_text(item.label)}</dt>"
        f'<dd class="value">{_text(item.value)}</dd>{note}</div>'
    )


def _chart_grid(charts: list[blocks.Chart]) -> Iterator[str]:
    if not charts:
        return
    yield f'<div class="charts{" small" if charts[0].small else ""}">'
    for chart in charts:
        yield (
            f'<figure class="chart" data-chart="{_text(chart.key)}">'
            f"<figcaption>{_text(chart.title)}<output></output></figcaption>"
            f'<div class="plot">{chart_svg(chart)}</div></figure>'
        )
    yield "</div>"


def _charts(items: tuple[blocks.Block, ...]) -> Iterator[blocks.Chart]:
    yield from (block for block in items if isinstance(block, blocks.Chart))


def _chart_data(chart: blocks.Chart) -> dict[str, Any]:
    return {
        "key": chart.key,
        "small": chart.small,
        "lines": [
            {
                "label": line.label,
                "role": line.role,
                "noisy": line.noisy,
                "points": [[float(f"{value:.6g}") for value in point] for point in line.points],
            }
            for line in chart.lines
        ],
        "references": [
            {"label": reference.label, "role": reference.role, "value": reference.value}
            for reference in chart.references
        ],
    }


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode()}"


def _text(text: str) -> str:
    return escape(_printable(text))


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("\ufffd", text)


def _prose(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(text))


def _script_safe(data: str) -> str:
    return data.replace("<", "\\u003c")
