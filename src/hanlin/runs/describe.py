"""A run in a few figures, whether it is finished, running or was stopped."""

from __future__ import annotations

import tomllib
from typing import Any

from hanlin.config import StageConfig, parse_recipe
from hanlin.records import is_held, read_jsonl
from hanlin.runs.folder import RunFolder

__all__ = ["describe_run"]


def describe_run(folder: RunFolder) -> dict[str, Any]:
    """Return a run's name, state, stages with their steps, and held-out bits per byte."""
    table = tomllib.loads(folder.recipe.read_text(encoding="utf-8"))
    recipe = parse_recipe(table, where=str(folder.recipe))
    stages = [_describe_stage(folder, n, s) for n, s in enumerate(recipe.stages, start=1)]
    results = list(folder.results())
    measured = [r["evaluation"] for r in results if "evaluation" in r]
    test = measured[-1].get("test", {}) if measured else {}
    return {
        "name": folder.root.name,
        "folder": str(folder.root),
        "state": _state(folder, stages),
        "stages": stages,
        "prompts": recipe.prompts,
        "bits_per_byte": {language: scores["bits_per_byte"] for language, scores in test.items()},
    }


def _describe_stage(folder: RunFolder, number: int, stage: StageConfig) -> dict[str, Any]:
    lines = [r for r in read_jsonl(folder.metrics) if r.get("stage") == stage.name]
    return {
        "name": stage.name,
        "kind": stage.kind,
        "step": max((line.get("step", 0) for line in lines), default=0),
        "steps": stage.training.num_steps if stage.training else 0,
        "finished": (folder.stage(number, stage.name) / "result.json").exists(),
    }


def _state(folder: RunFolder, stages: list[dict[str, Any]]) -> str:
    if is_held(folder.root):
        return "running"
    if all(stage["finished"] for stage in stages):
        return "finished"
    current = next(stage for stage in stages if not stage["finished"])
    where = f" at step {current['step']:,}" if current["steps"] else ""
    return f"stopped in {current['name']}{where}"
