"""What a run folder says of itself, read with tolerance: every file may be missing, cut or odd.

A report must be there when it is needed most: while a run is going and after it crashed. So nothing
here raises on bad content; a file that cannot be read is named in `problems` and passed over.

    python -m hanlin.runs.report.facts RUN
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanlin.records import is_held, read_jsonl
from hanlin.runs.report.phrases import Phrase

__all__ = ["RunFacts", "Stage", "Table", "number", "read_run", "table", "tables"]

Table = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage as far as it came; `result` is empty until it ends."""

    name: str
    result: Table
    steps: list[Table]
    evaluations: list[Table]
    samples: list[Table]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Everything a report is made from."""

    folder: Path
    recipe: Table
    recipe_text: str
    stages: tuple[Stage, ...]
    events: list[Table]
    ledger: list[Table]
    manifest: Table
    cost: Table
    problems: tuple[str, ...]
    running: bool

    @property
    def name(self) -> str:
        """The run's name."""
        return str(self.recipe.get("name") or self.folder.resolve().name)

    @property
    def status(self) -> str:
        """`finished`, `running`, `stopped before its end` or `not begun`."""
        if self.stages and all(stage.result for stage in self.stages):
            return Phrase("finished")
        if self.running:
            return Phrase("running")
        begun = any(stage.result or stage.steps for stage in self.stages)
        stopped = begun or self.events
        return Phrase("stopped before its end") if stopped else Phrase("not begun")


def read_run(folder: Path) -> RunFacts:
    """Read whatever a run folder holds."""
    problems: list[str] = []
    recipe_text = _read_text(folder / "recipe.toml", problems)
    recipe = _parse_toml(recipe_text, problems)
    logs = {
        name: _read_log(folder / f"{name}.jsonl", problems)
        for name in ("metrics", "samples", "events", "ledger")
    }
    manifest = _read_json(folder / "corpus" / "manifest.json", problems)
    cost = _read_json(folder / "cost.json", problems)
    stages = tuple(_stages(folder, recipe, logs, problems))
    events, ledger = logs["events"], logs["ledger"]
    return RunFacts(
        folder,
        recipe,
        recipe_text,
        stages,
        events,
        ledger,
        manifest,
        cost,
        tuple(problems),
        is_held(folder),
    )


def table(value: Any) -> Table:
    """Return a mapping as it is, and anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def tables(value: Any) -> list[Table]:
    """Return the mappings of a list, and nothing of anything else."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def number(value: Any) -> float | None:
    """Return a finite number, or nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _stages(
    folder: Path, recipe: Table, logs: Mapping[str, list[Table]], problems: list[str]
) -> Iterator[Stage]:
    results = _results(folder, problems)
    steps, evaluations = _split_metrics(logs["metrics"])
    written = [*logs["samples"], *filter(None, map(_written, logs["metrics"]))]
    named = [str(entry.get("name")) for entry in tables(recipe.get("stages"))]
    seen = [str(line.get("stage", "")) for line in [*logs["metrics"], *written]]
    for name in dict.fromkeys([*named, *results, *seen]):
        yield Stage(
            name,
            results.get(name, {}),
            [line for line in steps if str(line.get("stage", "")) == name],
            [line for line in evaluations if str(line.get("stage", "")) == name],
            [line for line in written if str(line.get("stage", "")) == name],
        )


def _results(folder: Path, problems: list[str]) -> dict[str, Table]:
    folders = [path for path in folder.glob("stages/*") if path.is_dir()]
    folders.sort(key=lambda path: (_leading_number(path.name), path.name))
    results: dict[str, Table] = {}
    for path in folders:
        result = _read_json(path / "result.json", problems)
        name = str(result.get("stage") or re.sub(r"^\d+-", "", path.name))
        results[name] = result
    return results


def _split_metrics(lines: Iterable[Table]) -> tuple[list[Table], list[Table]]:
    # A step that was done again after a crash counts once, as it was done last.
    steps: dict[tuple[str, float], Table] = {}
    evaluations: dict[tuple[str, float], Table] = {}
    for line in lines:
        step, stage = number(line.get("step")), str(line.get("stage", ""))
        if step is None:
            continue
        if isinstance(line.get("evaluation"), dict):
            evaluations[stage, step] = line
        elif line.get("kind", "train") == "train":
            steps[stage, step] = line
    placed = {key: _placed(line, key, steps) for key, line in evaluations.items()}
    return (
        [steps[key] for key in sorted(steps, key=lambda key: key[1])],
        [placed[key] for key in sorted(placed, key=lambda key: key[1])],
    )


def _written(line: Table) -> Table:
    """Return the samples that stand between the metrics as a line of the samples' own log."""
    found = line.get("sample")
    texts = tables(table(found).get("texts") if isinstance(found, dict) else found)
    return {**line, "samples": texts} if texts else {}


def _placed(line: Table, key: tuple[str, float], steps: Mapping[tuple[str, float], Table]) -> Table:
    """Give an evaluation the tokens and the time of the training step that it came after."""
    before = [step for stage, step in steps if stage == key[0] and step <= key[1]]
    if "tokens" in line or not before:
        return line
    last = steps[key[0], max(before)]
    return {**line, "tokens": last.get("tokens"), "time": last.get("time")}


def _read_text(path: Path, problems: list[str]) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        problems.append(_unreadable(path, error))
        return ""


def _parse_toml(text: str, problems: list[str]) -> Table:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problems.append(_broken("recipe.toml", "TOML", error))
        return {}


def _read_json(path: Path, problems: list[str]) -> Table:
    text = _read_text(path, problems)
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        problems.append(_broken(f"{path.parent.name}/{path.name}", "JSON", error))
        return {}
    return table(value)


def _read_log(path: Path, problems: list[str]) -> list[Table]:
    try:
        return list(read_jsonl(path))
    except OSError as error:
        problems.append(_unreadable(path, error))
        return []


def _unreadable(path: Path, error: OSError) -> str:
    reason = str(error.strerror)
    return Phrase("{file} could not be read: {reason}.", file=path.name, reason=reason)


def _broken(file: str, form: str, error: Exception) -> str:
    return Phrase("{file} is not valid {form}: {reason}.", file=file, form=form, reason=str(error))


def _leading_number(name: str) -> int:
    found = re.match(r"\d+", name)
    return int(found.group()) if found else 1 << 30


if __name__ == "__main__":
    import sys

    facts = read_run(Path(sys.argv[1]))
    print(facts.name, facts.status, [stage.name for stage in facts.stages], facts.problems)
