"""What was measured of the finished model, and what was claimed of it."""

from __future__ import annotations

from typing import Any

from hanlin.planning.units import exact
from hanlin.runs.report.blocks import Block, Prose, Section
from hanlin.runs.report.blocks import Table as TableBlock
from hanlin.runs.report.facts import RunFacts, Stage, Table, number, table
from hanlin.runs.report.facts import tables as tables_of
from hanlin.runs.report.phrases import Phrase
from hanlin.runs.report.words import (
    by_language,
    generic_table,
    headed,
    is_interval,
    label,
    language_name,
    language_order,
    language_table,
    say,
    sizes_sentence,
    titled,
)

__all__ = ["claims", "evaluation"]

_SPLITS = {"test": Phrase("Test text"), "validation": Phrase("Validation text")}
_BASELINES = ("ngram", "uniform")
_LEDGER_FIRST = ("claim", "verdict", "values", "control", "control_values", "spread")
_LEDGER_LAST = ("threshold", "stage", "seeds", "metric", "flops", "time", "command")
_LEDGER_LEFT_OUT = ("inputs",)
_SAME_CLAIM = ("stage", "claim", "metric")


def evaluation(facts: RunFacts) -> Section | None:
    """Return the evaluation of every finished stage."""
    blocks: list[Block] = []
    for stage in facts.stages:
        suffix = f" · {stage.name}" if len(facts.stages) > 1 else ""
        blocks.extend(_stage_tables(stage, suffix))
    lead = Phrase("Lower bits per byte are better; all text here was held out of training.")
    return Section("evaluation", Phrase("Evaluation"), tuple(blocks), lead) if blocks else None


def claims(facts: RunFacts) -> Section | None:
    """Return the ledger's last word on each claim, with its control, values and verdict."""
    entries = _newest(facts.ledger)
    if not entries:
        return None
    rest = dict.fromkeys(key for entry in entries for key in entry)
    keys = [key for key in _LEDGER_FIRST if key in rest]
    later = [key for key in _LEDGER_LAST if key in rest]
    keys += [key for key in rest if key not in (*keys, *later, *_LEDGER_LEFT_OUT)] + later
    rows = tuple(
        tuple(say(key, entry[key]) if key in entry else "—" for key in keys) for entry in entries
    )
    block = TableBlock(tuple(label(key) for key in keys), rows)
    lead = Phrase(
        "A claim stands only beside its control; a failed one is shown as failed. One run alone "
        "tests nothing; `hanlin prove` does."
    )
    return Section("claims", Phrase("Claims"), (block,), lead)


def _newest(ledger: list[Table]) -> list[Table]:
    """Return the last line about each claim: a proof stands in the place of what a run wrote."""
    found = {tuple(str(entry.get(key)) for key in _SAME_CLAIM): entry for entry in ledger}
    return list(found.values())


def _stage_tables(stage: Stage, suffix: str) -> list[Block]:
    whole = table(stage.result.get("evaluation"))
    tables: list[Block] = []
    for split in _SPLITS:
        systems = {"this_model": whole.get(split)}
        if split == _first_split(whole):
            systems |= {name: whole[name] for name in _BASELINES if name in whole}
        found = language_table(systems, titled(_SPLITS[split], suffix))
        if not found:
            continue
        tables.append(found)
        sizes = sizes_sentence(whole.get(split))
        tables.extend([Prose(sizes)] if sizes else [])
    for name, value in whole.items():
        if name not in (*_SPLITS, *_BASELINES) and isinstance(value, dict) and value:
            tables.append(_other(titled(headed(label(name)), suffix), value))
    tables.extend(_samplers(stage, suffix))
    study = table(stage.result.get("study"))
    if study:
        tables.append(_other(titled(Phrase("What predictions rest on"), suffix), study))
    loose = {key: v for key, v in whole.items() if not isinstance(v, dict) and key != "samples"}
    if loose:
        tables.append(generic_table(loose, titled(Phrase("Other results"), suffix)))
    return tables


def _samplers(stage: Stage, suffix: str) -> list[Block]:
    """Return the samplers that a generate stage tried, nearest to human text first."""
    tried = [s for s in tables_of(stage.result.get("samplers")) if number(s.get("distance"))]
    tried.sort(key=lambda sampler: number(sampler["distance"]) or 0.0)
    if not tried:
        return []
    keys = [key for key, value in tried[0].items() if number(value) is not None]
    rows = tuple(tuple(exact(number(s.get(key)) or 0.0) for key in keys) for s in tried)
    headers = tuple(Phrase("distance to human text") if k == "distance" else label(k) for k in keys)
    caption = titled(Phrase("Ways of drawing that were compared"), suffix)
    return [TableBlock(headers, rows, caption)]


def _first_split(whole: Table) -> str:
    return next((split for split in _SPLITS if by_language(whole.get(split))), "")


def _other(caption: str, value: Table) -> TableBlock:
    """Lay groups of flat measures side by side; list anything else line by line."""
    groups = {key: value[key] for key in sorted(value, key=language_order)}
    if not all(_is_flat(group) for group in groups.values()):
        return generic_table(value, caption)
    metrics = dict.fromkeys(metric for group in groups.values() for metric in group)
    rows = tuple(
        (label(metric), *(say(metric, group.get(metric)) for group in groups.values()))
        for metric in metrics
    )
    return TableBlock(("", *(language_name(name) for name in groups)), rows, caption)


def _is_flat(group: Any) -> bool:
    return isinstance(group, dict) and not any(
        isinstance(entry, dict | list) and not is_interval(entry) for entry in group.values()
    )
