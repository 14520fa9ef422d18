"""The chain of stages: what starts from what, who teaches whom, and what each one measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hanlin.config import telling_settings
from hanlin.planning.units import bits, count, power
from hanlin.runs.report.blocks import Chain, Link, Section
from hanlin.runs.report.facts import RunFacts, Stage, Table, number, table, tables
from hanlin.runs.report.overview import last_evaluation
from hanlin.runs.report.phrases import Phrase, listed
from hanlin.runs.report.words import label, language_name, time_text

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
    folders = [
        Link(name, "", notes=(Phrase("a released folder"),), finished=True) for name in outside
    ]
    lead = Phrase(
        "A line leads from a release to the stage that starts from it; a dotted one teaches."
    )
    return Section("chain", Phrase("Stages"), (Chain((*folders, *links)),), lead)


def _link(entry: Table, stage: Stage | None) -> Link:
    notes = list(_notes(stage)) if stage else []
    parts = _texts(entry.get("parts"))
    return Link(
        name=str(entry["name"]),
        kind=str(entry.get("kind") or "stage"),
        start=str(entry.get("from") or ""),
        teachers=_texts(entry.get("teachers")),
        notes=(*((Phrase("reads {parts}", parts=listed(parts)),) if parts else ()), *notes),
        finished=bool(stage and stage.result),
    )


def _notes(stage: Stage) -> Iterator[str]:
    """Say what a stage measured and what it took, or that it is not finished."""
    scores = [
        Phrase("{name} {bits}", name=language_name(language), bits=bits(value))
        for language, metrics in last_evaluation(stage).items()
        if (value := number(metrics.get("bits_per_byte"))) is not None
    ]
    if scores:
        yield Phrase("bits per byte: {scores}", scores=listed(scores))
    result = stage.result
    spent = [
        write(value)
        for key, write in (
            ("tokens", lambda value: Phrase("{value} tokens", value=count(value))),
            ("flops", lambda value: Phrase("{value} FLOPs", value=power(value))),
            ("seconds", time_text),
        )
        if (value := number(result.get(key)))
    ]
    if spent:
        yield listed(spent)
    yield from _own_words(result)
    if not result:
        yield Phrase("not finished")


def _own_words(result: Table) -> Iterator[str]:
    """Say what the stages that learn nothing found."""
    sampling = table(result.get("sampling"))
    if sampling:
        settings = [
            Phrase("{name} {value}", name=label(key), value=f"{value:g}")
            for key, value in telling_settings(sampling).items()
            if number(value) is not None
        ]
        yield Phrase("draws with {settings}", settings=listed(settings))
    speed = number(table(result.get("speed")).get("tokens_per_second"))
    if speed:
        yield Phrase("{count} tokens a second, one text", count=count(speed))
    files, differing = number(result.get("files")), number(result.get("files_that_differ"))
    if files is not None and differing is not None:
        said = {"count": count(files), "differing": count(differing)}
        yield Phrase("{count} files restored, {differing} differ", **said)
    tensors = number(result.get("tensors_that_differ"))
    if tensors is not None:
        yield Phrase("after a further step {count} tensors differ", count=count(tensors))


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, Sequence | tuple) and value else ()
