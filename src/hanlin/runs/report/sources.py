"""What the model read: documents and bytes by split, language and source, and what was dropped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hanlin.planning.units import exact, size
from hanlin.runs.report.blocks import Block, Fold, Samples, Section
from hanlin.runs.report.blocks import Sample as TextSample
from hanlin.runs.report.blocks import Table as TableBlock
from hanlin.runs.report.facts import RunFacts, Table, number, table
from hanlin.runs.report.words import generic_table, label, language_name, say

__all__ = ["corpus"]

_COUNTS = ("documents", "bytes", "characters", "tokens")
_APART = ("dropped", "mixture", "weights", "contamination")


def corpus(facts: RunFacts) -> Section | None:
    """Return the corpus as its manifest tells it."""
    parts = _parts(facts.manifest)
    if not parts:
        return None
    blocks: list[Block] = []
    for name, part in parts.items():
        suffix = f" · {name}" if len(parts) > 1 else ""
        counted = _count_table(part, f"Documents kept{suffix}")
        blocks.extend([counted] if counted else [])
        blocks.extend(_dropped(table(part.get("dropped")), suffix))
    for key in _APART[1:]:
        found = facts.manifest.get(key) or {
            name: part[key] for name, part in parts.items() if part.get(key)
        }
        if found:
            blocks.append(generic_table({"all": found} if number(found) else found, _heading(key)))
    return Section("corpus", "Corpus", tuple(blocks)) if blocks else None


def _heading(key: str) -> str:
    return {"weights": "Mixture"}.get(key, label(key).capitalize())


def _parts(manifest: Table) -> dict[str, Table]:
    parts = manifest.get("parts")
    if isinstance(parts, list):
        return {
            str(table(part).get("name") or place): table(part) for place, part in enumerate(parts)
        }
    found = {str(name): table(part) for name, part in table(parts).items()}
    return found or ({"all": manifest} if manifest else {})


def _count_table(part: Table, caption: str) -> TableBlock | None:
    leaves = list(_leaves({k: v for k, v in part.items() if k not in _APART}, ()))
    keys = [key for key in _COUNTS if any(key in leaf for _, leaf in leaves)]
    if not keys:
        return None
    rows = [
        (" · ".join(language_name(name) for name in path) or "all", *_counts(leaf, keys))
        for path, leaf in leaves
    ]
    return TableBlock(("", *keys), tuple(rows), caption)


def _counts(leaf: Table, keys: list[str]) -> Iterator[str]:
    for key in keys:
        value = number(leaf.get(key))
        yield "—" if value is None else size(value) if key == "bytes" else exact(value)


def _leaves(value: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Table]]:
    """Yield the innermost tables that count documents or bytes, each with the names above it."""
    if any(number(value.get(key)) is not None for key in _COUNTS):
        yield path, dict(value)
    for name, entry in value.items():
        if isinstance(entry, dict):
            yield from _leaves(entry, (*path, str(name)))


def _dropped(dropped: Table, suffix: str) -> list[Block]:
    if not dropped:
        return []
    rows, folded = [], []
    for reason, entry in dropped.items():
        rows.append((label(str(reason)), say("count", _dropped_count(entry))))
        samples = table(entry).get("samples")
        items = tuple(_dropped_sample(sample) for sample in samples or [])
        folded.extend([Samples(label(str(reason)), items, clipped=True)] if items else [])
    blocks: list[Block] = [
        TableBlock(("reason", "documents"), tuple(rows), f"Documents dropped{suffix}")
    ]
    if folded:
        blocks.append(Fold("Samples of what was dropped", tuple(folded)))
    return blocks


def _dropped_count(entry: Any) -> Any:
    whole = table(entry)
    return whole.get("count", whole.get("documents")) if whole else entry


def _dropped_sample(sample: Any) -> TextSample:
    whole = table(sample)
    if not whole:
        return TextSample("", "", str(sample))
    where = str(whole.get("id") or whole.get("source") or "")
    return TextSample(where, "", str(whole.get("text") or whole.get("sample") or ""))
