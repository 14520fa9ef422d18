"""The report's top: what was built, in one sentence, and its key figures."""

from __future__ import annotations

from hanlin.planning.units import bits, count, duration, exact, share
from hanlin.runs.report.blocks import Figure, Figures, Section
from hanlin.runs.report.facts import RunFacts, Stage, Table, number, table
from hanlin.runs.report.words import by_language, language_name

__all__ = ["key_figures", "last_evaluation", "sentence"]


def sentence(facts: RunFacts) -> str:
    """Say in one sentence what the run built, as far as it came."""
    model = table(facts.recipe.get("model"))
    family = str(model.get("family") or "").strip()
    parameters = _of_last(facts, "parameters")
    parts = [f"A {family} GPT" if family else "A GPT"]
    if parameters:
        parts.append(f"of {count(parameters)} parameters")
    tokens, seconds = _tokens(facts), _seconds(facts)
    languages = _languages(facts)
    if tokens:
        parts.append(f"trained on {count(tokens)} tokens{_of(languages)}")
    if seconds:
        parts.append(f"in {duration(seconds)}")
    return " ".join(parts) + "."


def key_figures(facts: RunFacts) -> Section:
    """Return the key figures; what is not known yet is left out."""
    items = [*_quality(facts), *_size(facts), *_speed(facts)]
    note = "" if items else "Nothing has been measured yet."
    return Section("figures", "Key figures", (Figures(tuple(items)),) if items else (), note)


def last_evaluation(stage: Stage) -> dict[str, Table]:
    """Return the newest held-out figures of a stage by language."""
    evaluation = table(stage.result.get("evaluation"))
    for split in ("test", "validation"):
        found = by_language(evaluation.get(split))
        if found:
            return found
    return by_language(stage.evaluations[-1].get("evaluation")) if stage.evaluations else {}


def _quality(facts: RunFacts) -> list[Figure]:
    stage = next((stage for stage in reversed(facts.stages) if last_evaluation(stage)), None)
    if stage is None:
        return []
    evaluation = table(stage.result.get("evaluation"))
    baselines = {
        name: by_language(evaluation.get(key))
        for name, key in (("n-gram", "ngram"), ("uniform", "uniform"))
    }
    figures = []
    for language, metrics in last_evaluation(stage).items():
        value = number(metrics.get("bits_per_byte"))
        if value is None:
            continue
        beside = [
            f"{name} {bits(found)}"
            for name, tables in baselines.items()
            if (found := number(tables.get(language, {}).get("bits_per_byte"))) is not None
        ]
        name = f"held-out bits per byte, {language_name(language)}"
        figures.append(Figure(name, bits(value), " · ".join(beside), strong=True))
    return figures


def _size(facts: RunFacts) -> list[Figure]:
    figures = []
    parameters, tokens, seconds = _of_last(facts, "parameters"), _tokens(facts), _seconds(facts)
    if parameters:
        figures.append(Figure("parameters", count(parameters), exact(parameters)))
    if tokens:
        figures.append(Figure("training tokens", count(tokens), exact(tokens)))
    if seconds:
        figures.append(Figure("training time", duration(seconds)))
    return figures


def _speed(facts: RunFacts) -> list[Figure]:
    figures = []
    speed = _of_last(facts, "tokens_per_second") or _from_metrics(facts, "tokens_per_second")
    mfu = _of_last(facts, "mfu") or _from_metrics(facts, "mfu")
    if speed:
        figures.append(Figure("tokens per second", count(speed)))
    if mfu:
        figures.append(Figure("model FLOPs utilisation", share(mfu), "of the machine's peak"))
    return figures


def _of_last(facts: RunFacts, key: str) -> float | None:
    values = [number(stage.result.get(key)) for stage in facts.stages]
    return next((value for value in reversed(values) if value), None)


def _from_metrics(facts: RunFacts, key: str) -> float | None:
    for stage in reversed(facts.stages):
        if stage.steps:
            return number(table(stage.steps[-1].get("time")).get(key))
    return None


def _tokens(facts: RunFacts) -> float:
    return sum(_stage_value(stage, "tokens") for stage in facts.stages)


def _seconds(facts: RunFacts) -> float:
    return sum(_stage_value(stage, "seconds") for stage in facts.stages)


def _stage_value(stage: Stage, key: str) -> float:
    value = number(stage.result.get(key))
    if value is not None or not stage.steps:
        return value or 0.0
    last = stage.steps[-1]
    found = last.get("tokens") if key == "tokens" else table(last.get("time")).get("elapsed")
    return number(found) or 0.0


def _languages(facts: RunFacts) -> list[str]:
    found = [language for stage in facts.stages for language in last_evaluation(stage)]
    return [language_name(key) for key in dict.fromkeys(found) if key not in ("all", "other")]


def _of(languages: list[str]) -> str:
    return f" of {' and '.join(languages)} text" if languages else ""
