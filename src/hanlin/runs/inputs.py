"""What a stage's release follows from, as JSON values, and how two such tables differ.

The table of a finished stage stands in its result.json. A recipe that gives the same one goes on;
one that gives another would have made another model, and is refused with the lines that differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hanlin.config import Recipe, StageConfig, TaskStageConfig, TrainingConfig
from hanlin.records import sha256_file, sha256_json
from hanlin.text import Manifest
from hanlin.tokenizers import Tokenizer

__all__ = ["describe_inputs", "list_differences"]

_NO_WEIGHT = {
    *("checkpoint", "log_every", "eval_every", "eval_tokens", "sample_every"),
    *("microbatch", "compile", "max_skipped"),
    "inherit_optimizer",  # named below, and only where it is set
}
"""Settings of training that change what is said and saved, or a weight's last bits at most."""
_SETTINGS = {"augment", "replay", "distil", "language", "task", "expand", "generate", "checkpoint"}
"""The tables of a stage that its release follows from."""
_PLACES: dict[str, Any] = {
    "task": {"tasks": {"__all__": {"path", "file"}}, "preference": {"path"}},
    "distil": {"cache_folder"},
}
"""Where files lie, which may move: their content counts."""


def describe_inputs(
    recipe: Recipe,
    stage: StageConfig,
    *,
    tokenizer: Tokenizer,
    manifest: Manifest,
    start: Path | None,
    teachers: Sequence[Path],
) -> dict[str, Any]:
    """Return everything that a stage's release follows from.

    `start` and `teachers` are the released folders that its `from` and `teachers` name.
    """
    training = stage.training
    parts = [*recipe.parts_of(stage), *(stage.replay.parts if stage.replay else ())]
    content = {part: manifest.parts[part].content for part in parts}
    return {
        "seed": recipe.seed,
        "kind": stage.kind,
        "model": _describe_model(recipe, stage),
        "learning": _describe_learning(training) if training else {},
        "settings": _describe_settings(stage),
        "corpus": content,
        "weights": {s.label: s.weight for s in recipe.corpus.sources if s.part in content},
        "tokenizer": tokenizer.fingerprint,
        "from": _fingerprint_of_release(start) if start else "",
        **({"inherits": "optimizer"} if training and training.inherit_optimizer else {}),
        "teachers": [_fingerprint_of_release(teacher) for teacher in teachers],
        **({"examples": _fingerprint_examples(stage.task)} if stage.task else {}),
    }


def list_differences(old: Any, new: Any, key: str = "") -> list[str]:
    """Return a line for each value that differs between two tables, with its dotted name."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = list(dict.fromkeys([*old, *new]))
        inner = (list_differences(old.get(n), new.get(n), f"{key}.{n}".strip(".")) for n in names)
        return [line for lines in inner for line in lines]
    return [] if old == new else [f"{key}: {old!r} before, {new!r} now"]


def _describe_model(recipe: Recipe, stage: StageConfig) -> dict[str, Any]:
    """Return the shape as it is asked for; what a grown one leaves out follows from its start."""
    asked = stage.model or recipe.model
    return asked.model_dump(mode="json", exclude_unset=bool(stage.model and stage.from_))


def _describe_settings(stage: StageConfig) -> dict[str, Any]:
    """Return the stage's tables; what is new and off is left out, so that old runs go on."""
    tables = stage.model_dump(mode="json", include=_SETTINGS, exclude=_PLACES, exclude_none=True)
    if stage.distil is not None and not stage.distil.cache_top_k:
        del tables["distil"]["cache_top_k"]
    return tables


def _describe_learning(training: TrainingConfig) -> dict[str, Any]:
    """Return the settings of training that weights follow from, as JSON values."""
    judged = {"eval_every", "eval_tokens"} if training.until is not None else set()
    return training.model_dump(mode="json", exclude=_NO_WEIGHT - judged, exclude_none=True)


def _fingerprint_of_release(folder: Path) -> str:
    path = folder / "model.safetensors"
    core = sha256_file(path) if path.exists() else str(folder)
    beside = sorted(
        file
        for pattern in ("expansions/**/*", "heads/**/*")
        for file in folder.glob(pattern)
        if file.suffix != ".md"
    )
    return sha256_json([core, *map(sha256_file, filter(Path.is_file, beside))]) if beside else core


def _fingerprint_examples(task: TaskStageConfig) -> dict[str, list[str]]:
    """Return the hashes of each task's files, or of the preference pairs."""
    if task.preference is not None:
        return {"preference": [sha256_file(Path(task.preference.path))]}
    return {
        one.name: [sha256_file(Path(path)) for path in (one.path, one.file) if path]
        for one in task.tasks
    }
