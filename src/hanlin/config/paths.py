"""A recipe that reads the same from any folder, so that the run's own copy of it can be run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hanlin.config.distil import DistilConfig
from hanlin.config.recipe import Recipe
from hanlin.config.tasks import TaskStageConfig

__all__ = ["with_absolute_paths"]


def with_absolute_paths(recipe: Recipe, base: Path) -> Recipe:
    """Return the recipe with every path of it, relative to `base` so far, made absolute."""

    def absolute(path: str) -> str:
        return str((base / path).absolute()) if path else ""

    names = {stage.name for stage in recipe.stages}
    sources = tuple(
        source.model_copy(update={"path": absolute(source.path)})
        for source in recipe.corpus.sources
    )

    def placed(name: str) -> str:
        return name if name in names else absolute(name)

    stages = tuple(
        stage.model_copy(
            update={
                "from_": placed(stage.from_),
                "teachers": tuple(placed(name) for name in stage.teachers),
                "distil": _place_cache(stage.distil, absolute) if stage.distil else None,
                "task": _place_examples(stage.task, absolute) if stage.task else None,
            }
        )
        for stage in recipe.stages
    )
    tokenizer = recipe.tokenizer.model_copy(update={"path": absolute(recipe.tokenizer.path)})
    corpus = recipe.corpus.model_copy(update={"sources": sources})
    return recipe.model_copy(update={"corpus": corpus, "stages": stages, "tokenizer": tokenizer})


def _place_cache(distil: DistilConfig, absolute: Callable[[str], str]) -> DistilConfig:
    """Return a distil stage's table with an absolute path."""
    return distil.model_copy(update={"cache_folder": absolute(distil.cache_folder)})


def _place_examples(task: TaskStageConfig, absolute: Callable[[str], str]) -> TaskStageConfig:
    """Return a task stage's table with absolute paths."""
    tasks = tuple(
        one.model_copy(update={"path": absolute(one.path), "file": absolute(one.file)})
        for one in task.tasks
    )
    pairs = task.preference
    if pairs is not None:
        pairs = pairs.model_copy(update={"path": absolute(pairs.path)})
    return task.model_copy(update={"tasks": tasks, "preference": pairs})
