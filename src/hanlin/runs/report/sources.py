"""What the model read: documents and bytes by split, language and source, and what was dropped."""

from __future__ import annotations

from typing import Any

from hanlin.planning.units import exact, size
from hanlin.runs.report.blocks import Block, Fold, Samples, Section
from hanlin.runs.report.blocks import Sample as TextSample
from hanlin.runs.report.blocks import Table as TableBlock
from hanlin.runs.report.facts import RunFacts, Table, number, table, tables
from hanlin.runs.report.phrases import Phrase
from hanlin.runs.report.words import label, language_name, matrix_table, say, titled

__all__ = ["corpus"]

_NAMES = ("split", "language", "source")
_COUNTS = ("documents", "bytes", "characters")
_HEADERS = tuple(map(Phrase, _COUNTS))  # label("bytes") would be what a size is of


def corpus(facts: RunFacts) -> Section | None:
    """Return the corpus as its manifest tells it, part by part."""
    parts = {str(name): table(part) for name, part in table(facts.manifest.get("parts")).items()}
    blocks: list[Block] = []
    for name, part in parts.items():
        blocks.extend(_part(part, f" · {name}" if len(parts) > 1 else ""))
    return Section("corpus", Phrase("Corpus"), tuple(blocks)) if blocks else None


def _part(part: Table, suffix: str) -> list[Block]:
    blocks: list[Block] = []
    amounts = tables(part.get("amounts"))
    if amounts:
        blocks.append(_amounts(amounts, titled(Phrase("Documents kept"), suffix)))
    mixture = table(part.get("mixture"))
    if len(mixture) > 1:
        blocks.append(
            matrix_table(mixture, titled(Phrase("Mixture, shares of the training bytes"), suffix))
        )
    blocks.extend(_dropped(table(part.get("dropped")), suffix))
    contamination = table(part.get("contamination"))
    if contamination:
        caption = titled(Phrase("Held-out text that also stands in training text"), suffix)
        blocks.append(matrix_table(contamination, caption))
    return blocks


def _amounts(amounts: list[Table], caption: str) -> TableBlock:
    rows = [
        (*(_name(key, amount) for key in _NAMES), *(_count(key, amount) for key in _COUNTS))
        for amount in amounts
    ]
    totals = {key: sum(number(a.get(key)) or 0.0 for a in amounts) for key in _COUNTS}
    if len(rows) > 1:
        rows.append((Phrase("all"), "", "", *(_count(key, totals) for key in _COUNTS)))
    return TableBlock((*map(label, _NAMES), *_HEADERS), tuple(rows), caption)


def _name(key: str, amount: Table) -> str:
    name = str(amount.get(key, ""))
    return language_name(name) if key == "language" else name


def _count(key: str, amount: Table) -> str:
    value = number(amount.get(key))
    return "—" if value is None else size(value) if key == "bytes" else exact(value)


def _dropped(dropped: Table, suffix: str) -> list[Block]:
    if not dropped:
        return []
    rows = tuple(
        (label(reason), say("count", _how_many(entry))) for reason, entry in dropped.items()
    )
    blocks: list[Block] = [
        TableBlock(
            (Phrase("reason"), Phrase("documents")),
            rows,
            titled(Phrase("Documents dropped"), suffix),
        )
    ]
    samples = [
        Samples(label(reason), items, clipped=True)
        for reason, entry in dropped.items()
        if (items := _samples(table(entry).get("samples")))
    ]
    if samples:
        blocks.append(Fold(Phrase("Samples of what was dropped"), tuple(samples)))
    return blocks


def _how_many(entry: Any) -> Any:
    return entry.get("count") if isinstance(entry, dict) else entry


def _samples(entries: Any) -> tuple[TextSample, ...]:
    if not isinstance(entries, list):
        return ()
    return tuple(TextSample("", "", str(entry)) for entry in entries)
