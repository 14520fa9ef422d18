"""How the model learnt: curves of loss, and what it wrote on the way."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from hanlin.planning.units import exact
from hanlin.runs.report.blocks import Block, Chart, Line, Reference, Role, Sample, Samples, Section
from hanlin.runs.report.curves import curve
from hanlin.runs.report.facts import RunFacts, Stage, Table, number, table, tables
from hanlin.runs.report.phrases import Phrase
from hanlin.runs.report.words import by_language, text_language, titled

__all__ = ["curves", "final_samples", "samples_over_time"]

_SHOWN_STEPS = 5
_SHOWN_FREE = 12
_ROLES: dict[str, Role] = {"zh": "accent", "en": "ink"}


def curves(facts: RunFacts) -> Section | None:
    """Return the loss while training and on held-out text, stage by stage."""
    blocks: list[Block] = []
    for stage in facts.stages:
        suffix = f" · {stage.name}" if len(facts.stages) > 1 else ""
        blocks.extend(_stage_charts(stage, suffix))
    return Section("curves", Phrase("Learning"), tuple(blocks)) if blocks else None


def samples_over_time(facts: RunFacts) -> Section | None:
    """Return what the model wrote after the same prompts, step by step."""
    blocks: list[Block] = []
    for stage in facts.stages:
        lines = _spread(stage.samples, _SHOWN_STEPS)
        suffix = f" · {stage.name}" if len(facts.stages) > 1 else ""
        for place, prompt in enumerate(_prompts(lines)):
            items = [_sample_at(line, place, prompt) for line in lines]
            kept = tuple(item for item in items if item)
            if kept:
                blocks.append(Samples(titled(_title(prompt), suffix), kept, clipped=True))
    if not blocks:
        return None
    lead = Phrase("The same prompts at several steps of training, unselected.")
    return Section("samples", Phrase("Samples over time"), tuple(blocks), lead)


def final_samples(facts: RunFacts) -> Section | None:
    """Return what the newest model wrote after the last step: to the prompts, and freely."""
    last = next((stage.samples[-1] for stage in reversed(facts.stages) if stage.samples), {})
    items = tuple(
        Sample(_title(str(entry.get("prompt") or "")), *_texts(entry)) for entry in _entries(last)
    )
    step = number(last.get("step"))
    after = step is not None
    title = Phrase("After step {step}", step=exact(step or 0)) if after else Phrase("At the end")
    blocks = [Samples(title, items)] if items else []
    blocks.extend(_as_chosen(facts))
    free = tuple(Sample("", "", text) for text in _free_texts(facts)[:_SHOWN_FREE])
    if free:
        heading = Phrase("Written without a prompt, the first of them")
        blocks.append(Samples(heading, free, clipped=True))
    return Section("final", Phrase("Final samples"), tuple(blocks)) if blocks else None


def _as_chosen(facts: RunFacts) -> list[Samples]:
    """Return what was written with the sampling that the newest generate stage chose."""
    for stage in reversed(facts.stages):
        written = tables(stage.result.get("samples"))
        items = tuple(Sample("", *_texts(entry)) for entry in written[:_SHOWN_FREE])
        if items:
            title = titled(Phrase("With the chosen sampling"), f" · {stage.name}")
            return [Samples(title, items, clipped=True)]
    return []


def _free_texts(facts: RunFacts) -> list[str]:
    """Return the newest stage's free texts, the languages in turns."""
    for stage in reversed(facts.stages):
        texts = table(stage.result.get("evaluation")).get("samples")
        if isinstance(texts, list) and texts:
            chinese = [str(text) for text in texts if text_language(str(text)) != "en"]
            english = [str(text) for text in texts if text_language(str(text)) == "en"]
            pairs = itertools.zip_longest(chinese, english)
            return [text for pair in pairs for text in pair if text]
    return []


def _stage_charts(stage: Stage, suffix: str) -> list[Block]:
    charts: list[Block] = []
    loss = curve(stage.steps, lambda line: line.get("loss"))
    if loss:
        line = Line(Phrase("loss"), loss, "accent", noisy=True)
        title = titled(Phrase("Training loss, nats per token"), suffix)
        charts.append(Chart(f"loss-{stage.name}", title, (line,)))
    lines = [
        Line(language, points, _ROLES.get(language, "muted"))
        for language in _languages(stage.evaluations)
        if (points := curve(stage.evaluations, _bits(language)))
    ]
    if lines:
        charts.append(
            Chart(
                f"held-out-{stage.name}",
                titled(Phrase("Held-out text, bits per byte"), suffix),
                tuple(lines),
                _ngram_levels(stage),
            )
        )
    return charts


def _bits(language: str) -> Any:
    return lambda line: by_language(line.get("evaluation")).get(language, {}).get("bits_per_byte")


def _languages(evaluations: Sequence[Table]) -> list[str]:
    found = [key for line in evaluations for key in by_language(line.get("evaluation"))]
    return list(dict.fromkeys(found))


def _ngram_levels(stage: Stage) -> tuple[Reference, ...]:
    ngram = by_language(table(stage.result.get("evaluation")).get("ngram"))
    return tuple(
        Reference(
            Phrase("n-gram {language}", language=language), value, _ROLES.get(language, "muted")
        )
        for language, metrics in ngram.items()
        if (value := number(metrics.get("bits_per_byte"))) is not None
    )


def _spread(lines: Sequence[Table], most: int) -> list[Table]:
    if len(lines) <= most:
        return list(lines)
    places = {round(place * (len(lines) - 1) / (most - 1)) for place in range(most)}
    return [lines[place] for place in sorted(places)]


def _entries(line: Table) -> list[Table]:
    return tables(line.get("samples"))


def _prompts(lines: Sequence[Table]) -> list[str]:
    longest = max((_entries(line) for line in lines), key=len, default=[])
    return [str(entry.get("prompt") or "") for entry in longest]


def _sample_at(line: Table, place: int, prompt: str) -> Sample | None:
    entries = _entries(line)
    if place >= len(entries) or str(entries[place].get("prompt") or "") != prompt:
        return None
    step = number(line.get("step"))
    heading = "" if step is None else Phrase("step {step}", step=exact(step))
    return Sample(heading, *_texts(entries[place]))


def _texts(entry: Table) -> tuple[str, str]:
    """Return a sample's prompt and what follows it; some logs repeat the prompt in the text."""
    prompt, text = str(entry.get("prompt") or ""), str(entry.get("text") or "")
    return prompt, text.removeprefix(prompt) if prompt else text


def _title(prompt: str) -> str:
    if not prompt:
        return Phrase("A new document")
    return f"“{prompt}”" if text_language(prompt) == "en" else f"「{prompt}」"
