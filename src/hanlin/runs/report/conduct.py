"""How the run went: its health, what happened, what it cost, its recipe and its machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hanlin.planning.units import exact
from hanlin.runs.report.blocks import Block, Chart, Code, Fold, Line, Prose, Section
from hanlin.runs.report.blocks import Table as TableBlock
from hanlin.runs.report.curves import curve
from hanlin.runs.report.facts import RunFacts, Stage, Table, number, table
from hanlin.runs.report.phrases import Phrase, listed
from hanlin.runs.report.words import generic_table, label, pair, say, titled

__all__ = ["cost", "environment", "health", "recipe"]

_SHOWN_EVENTS = 30
_MACHINE = ("machine", "environment")
_COST_KEYS = ("steps", "tokens", "seconds", "tokens_per_second", "mfu", "flops")


def health(facts: RunFacts) -> Section | None:
    """Return gradient norm, learning rate and speed over the steps, skipped steps and events."""
    blocks: list[Block] = []
    for stage in facts.stages:
        suffix = f" · {stage.name}" if len(facts.stages) > 1 else ""
        blocks.extend(_health_charts(stage, suffix))
    skipped = sum(_skipped(stage) for stage in facts.stages)
    if any(stage.steps for stage in facts.stages):
        blocks.append(Prose(_skipped_sentence(skipped)))
    blocks.extend(Prose(problem) for problem in facts.problems)
    if facts.events:
        blocks.append(_events(facts.events))
    return Section("health", Phrase("Health"), tuple(blocks)) if blocks else None


def cost(facts: RunFacts) -> Section | None:
    """Return what the run took: by stage, and in all where cost.json says so."""
    blocks: list[Block] = []
    spent = [stage for stage in facts.stages if stage.result]
    if spent:
        keys = [key for key in _COST_KEYS if any(key in stage.result for stage in spent)]
        rows = tuple(
            (stage.name, *(say(key, stage.result.get(key)) for key in keys)) for stage in spent
        )
        headers = (Phrase("stage"), *map(label, keys))
        blocks.append(TableBlock(headers, rows, Phrase("By stage")))
    if facts.cost:
        blocks.append(generic_table(facts.cost, Phrase("In all")))
    return Section("cost", Phrase("Cost"), tuple(blocks)) if blocks else None


def recipe(facts: RunFacts) -> Section | None:
    """Return the recipe in full."""
    if not facts.recipe_text:
        return None
    block = Fold("recipe.toml", (Code(facts.recipe_text, "toml"),))
    lead = Phrase("`hanlin run recipe.toml` builds this again.")
    return Section("recipe", Phrase("Recipe"), (block,), lead)


def environment(facts: RunFacts) -> Section | None:
    """Return the machine and the versions, from the events or the results that record them."""
    found = [table(event.get(key)) for key in _MACHINE for event in facts.events]
    found += [table(stage.result.get("environment")) for stage in facts.stages]
    last = next((entry for entry in reversed(found) if entry), None)
    if last is None:
        return None
    return Section("environment", Phrase("Environment"), (generic_table(last, ""),))


def _health_charts(stage: Stage, suffix: str) -> list[Block]:
    wanted: list[tuple[str, str, Callable[[Table], Any], bool]] = [
        ("grad-norm", Phrase("Gradient norm"), _gradient_norm, True),
        ("learning-rate", Phrase("Learning rate"), _learning_rate, False),
        ("speed", Phrase("Tokens per second"), _speed, True),
    ]
    charts: list[Block] = []
    for key, title, value, noisy in wanted:
        points = curve(stage.steps, value)
        if points:
            line = Line("", points, "ink", noisy=noisy)
            named = titled(title, suffix)
            charts.append(Chart(f"{key}-{stage.name}", named, (line,), small=True))
    return charts


def _gradient_norm(line: Table) -> Any:
    return line.get("gradient_norm", line.get("grad_norm"))


def _learning_rate(line: Table) -> Any:
    return line.get("learning_rate")


def _speed(line: Table) -> Any:
    return table(line.get("time")).get("tokens_per_second")


def _skipped(stage: Stage) -> float:
    # The log counts skipped steps up; a log that notes them one by one sums to no more.
    return max((number(line.get("skipped")) or 0.0 for line in stage.steps), default=0.0)


def _skipped_sentence(skipped: float) -> str:
    if not skipped:
        return Phrase("No step was skipped.")
    if skipped == 1:
        return Phrase("1 step was skipped, for a loss that was not finite or that spiked.")
    return Phrase(
        "{count} steps were skipped, for a loss that was not finite or that spiked.",
        count=exact(skipped),
    )


def _events(events: list[Table]) -> Block:
    rows = tuple(
        (
            str(event.get("time", "")),
            label(str(event.get("event", ""))),
            listed(
                pair(key, value)
                for key, value in event.items()
                if key not in ("time", "event", *_MACHINE)
            ),
        )
        for event in events[-_SHOWN_EVENTS:]
    )
    shown, count = str(_SHOWN_EVENTS), exact(len(events))
    caption = Phrase("The last {shown} of {count} events", shown=shown, count=count)
    summary = Phrase("1 event") if len(events) == 1 else Phrase("{count} events", count=count)
    cut = caption if len(events) > len(rows) else ""
    return Fold(summary, (TableBlock((Phrase("time"), Phrase("event"), ""), rows, cut),))
