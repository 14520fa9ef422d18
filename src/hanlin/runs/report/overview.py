"""The report's top: what was built, in one sentence, and its key figures."""

from __future__ import annotations

from hanlin.planning.units import bits, count, exact, share
from hanlin.runs.report.blocks import Block, Figure, Figures, Prose, Section
from hanlin.runs.report.blocks import Table as TableBlock
from hanlin.runs.report.facts import RunFacts, Stage, Table, number, table
from hanlin.runs.report.phrases import Phrase, listed
from hanlin.runs.report.words import by_language, joined, language_name, time_text

__all__ = ["key_figures", "last_evaluation", "sentence"]


def sentence(facts: RunFacts) -> str:
    """Say in one sentence what the run built, as far as it came."""
    model = table(facts.recipe.get("model"))
    family = str(model.get("family") or "").strip()
    parameters = _of_last(facts, "parameters")
    parts = [Phrase("A {family} GPT", family=family) if family else Phrase("A GPT")]
    if parameters:
        parts.append(Phrase(" of {count} parameters", count=count(parameters)))
    tokens, seconds = _tokens(facts), _seconds(facts)
    languages = joined(_languages(facts))
    if tokens and languages:
        said = {"count": count(tokens), "languages": languages}
        parts.append(Phrase(" trained on {count} tokens of {languages} text", **said))
    elif tokens:
        parts.append(Phrase(" trained on {count} tokens", count=count(tokens)))
    if seconds:
        parts.append(Phrase(" in {time}", time=time_text(seconds)))
    return Phrase("{sentence}.", sentence=listed(parts, ""))


def key_figures(facts: RunFacts) -> Section:
    """Return the key figures; what is not known yet is left out."""
    items = [*_quality(facts), *_size(facts), *_speed(facts)]
    found: list[Block] = [Figures(tuple(items))] if items else []
    found += _along_the_chain(facts)
    note = "" if items else Phrase("Nothing has been measured yet.")
    return Section("figures", Phrase("Key figures"), tuple(found), note)


def last_evaluation(stage: Stage) -> dict[str, Table]:
    """Return the newest held-out figures of a stage by language."""
    evaluation = table(stage.result.get("evaluation"))
    for split in ("test", "validation"):
        found = by_language(evaluation.get(split))
        if found:
            return found
    return by_language(stage.evaluations[-1].get("evaluation")) if stage.evaluations else {}


def _along_the_chain(facts: RunFacts) -> list[Block]:
    """Return the bits per byte at the end of each stage, if there are several that say them."""
    scores = {
        stage.name: {
            language: value
            for language, metrics in last_evaluation(stage).items()
            if (value := number(metrics.get("bits_per_byte"))) is not None
        }
        for stage in facts.stages
    }
    told = {name: found for name, found in scores.items() if found}
    if len(told) < 2:
        return []
    languages = dict.fromkeys(language for found in told.values() for language in found)
    rows = tuple(
        (name, *(bits(found[key]) if key in found else "—" for key in languages))
        for name, found in told.items()
    )
    headers = (Phrase("stage"), *map(language_name, languages))
    table = TableBlock(headers, rows, Phrase("Held-out bits per byte at the end of each stage"))
    note = Phrase("Each stage is measured on held-out text of the parts that it read.")
    return [table, Prose(note)]


def _quality(facts: RunFacts) -> list[Figure]:
    stage = next((stage for stage in reversed(facts.stages) if last_evaluation(stage)), None)
    if stage is None:
        return []
    evaluation = table(stage.result.get("evaluation"))
    baselines = {
        name: by_language(evaluation.get(key))
        for name, key in ((Phrase("n-gram"), "ngram"), (Phrase("uniform"), "uniform"))
    }
    after = (Phrase("after {stage}", stage=stage.name),) if len(facts.stages) > 1 else ()
    figures = []
    for language, metrics in last_evaluation(stage).items():
        value = number(metrics.get("bits_per_byte"))
        if value is None:
            continue
        beside = [
            Phrase("{name} {bits}", name=name, bits=bits(found))
            for name, tables in baselines.items()
            if (found := number(tables.get(language, {}).get("bits_per_byte"))) is not None
        ]
        what = listed((Phrase("held-out bits per byte"), language_name(language), *after))
        figures.append(Figure(what, bits(value), listed(beside, " · "), strong=True))
    return figures


def _size(facts: RunFacts) -> list[Figure]:
    figures = []
    parameters, tokens, seconds = _of_last(facts, "parameters"), _tokens(facts), _seconds(facts)
    if parameters:
        figures.append(Figure(Phrase("parameters"), count(parameters), exact(parameters)))
    if tokens:
        figures.append(Figure(Phrase("training tokens"), count(tokens), exact(tokens)))
    if seconds:
        figures.append(Figure(Phrase("training time"), time_text(seconds)))
    return figures


def _speed(facts: RunFacts) -> list[Figure]:
    figures = []
    speed = _of_last(facts, "tokens_per_second") or _from_metrics(facts, "tokens_per_second")
    mfu = _of_last(facts, "mfu") or _from_metrics(facts, "mfu")
    if speed:
        figures.append(Figure(Phrase("tokens per second"), count(speed)))
    if mfu:
        name = Phrase("model FLOPs utilisation")
        figures.append(Figure(name, share(mfu), Phrase("of the machine's peak")))
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
