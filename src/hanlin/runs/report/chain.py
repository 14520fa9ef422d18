"""The chain of stages: what starts from what, who teaches whom, and what each one measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hanlin.config import telling_settings
from hanlin.planning.units import bits, count, duration, power
from hanlin.runs.report.blocks import Chain, Link, Section
from hanlin.runs.report.facts import RunFacts, Stage, Table, number, table, tables
from hanlin.runs.report.overview import last_evaluation
from hanlin.runs.report.words import language_name

__all__ = ["chain"]


def chain(facts: RunFacts) -> Section | None:
    """Return the stages of the recipe in their order, with what they start from outside of it."""
    entries = [entry for entry in tables(facts.recipe.get("stages")) if entry.get("name")]
    if not entries:
        return None
    results = {stage.name: stage for stage in facts.stages}
    named = [str(entry["name"]) for entry in entries]
    links = [_link(entry, results.get(str(entry["name"]))) for entry in entries]
    outside = dict.fromkeys(
        name for link in links for name in (link.start, *link.teachers) if name not in ("", *named)
    )
    folders = [Link(name, "", notes=("a released folder",), finished=True) for name in outside]
    lead = "A line leads from a release to the stage that starts from it; a dotted one teaches."
    return Section("chain", "Stages", (Chain((*folders, *links)),), lead)


def _link(entry: Table, stage: Stage | None) -> Link:
    notes = list(_notes(stage)) if stage else []
    parts = _texts(entry.get("parts"))
    return Link(
        name=str(entry["name"]),
        kind=str(entry.get("kind") or "stage"),
        start=str(entry.get("from") or ""),
        teachers=_texts(entry.get("teachers")),
        notes=(*((f"reads {', '.join(parts)}",) if parts else ()), *notes),
        finished=bool(stage and stage.result),
    )


def _notes(stage: Stage) -> Iterator[str]:
    """Say what a stage measured and what it took, or that it is not finished."""
    scores = [
        f"{language_name(language)} {bits(value)}"
        for language, metrics in last_evaluation(stage).items()
        if (value := number(metrics.get("bits_per_byte"))) is not None
    ]
    if scores:
        yield f"bits per byte: {', '.join(scores)}"
    result = stage.result
    spent = [
        f"{write(value)}{unit}"
        for key, write, unit in (
            ("tokens", count, " tokens"),
            ("flops", power, " FLOPs"),
            ("seconds", duration, ""),
        )
        if (value := number(result.get(key)))
    ]
    if spent:
        yield ", ".join(spent)
    yield from _own_words(result)
    if not result:
        yield "not finished"


def _own_words(result: Table) -> Iterator[str]:
    """Say what the stages that learn nothing found."""
    sampling = table(result.get("sampling"))
    if sampling:
        yield "draws with " + ", ".join(
            f"{key.replace('_', ' ')} {value:g}"
            for key, value in telling_settings(sampling).items()
            if number(value) is not None
        )
    speed = number(table(result.get("speed")).get("tokens_per_second"))
    if speed:
        yield f"{count(speed)} tokens a second, one text"
    files, differing = number(result.get("files")), number(result.get("files_that_differ"))
    if files is not None and differing is not None:
        yield f"{count(files)} files restored, {count(differing)} differ"
    tensors = number(result.get("tensors_that_differ"))
    if tensors is not None:
        yield f"after a further step {count(tensors)} tensors differ"


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, Sequence | tuple) and value else ()
