"""Whether the tasks of a stage are known, and their files are there."""

from __future__ import annotations

from pathlib import Path

from hanlin.attacks import check_families
from hanlin.config import ExpandConfig, ModelConfig, Recipe, StageConfig, TaskConfig
from hanlin.errors import RecipeError
from hanlin.models.expansion import check_expansion
from hanlin.tasks import find_task, part_labels

__all__ = ["check_tasks"]


def check_tasks(recipe: Recipe) -> None:
    """Check the tasks that a recipe, with absolute paths, teaches.

    Raises:
        RecipeError: a task is unknown, or its file, or that of preference pairs, is missing.
        DataError: a file of the user's own defines no task, or one of labels teaches none.
        MissingExtraError: an attack that it names needs a package that is not installed.
    """
    for stage in recipe.stages:
        attack = stage.task.adversarial if stage.task else None
        if attack is not None:
            check_families((*attack.families, *attack.held_out))
        for task in stage.task.tasks if stage.task else ():
            _check_files(stage, task)
            if task.head is None:
                find_task(task)
            else:
                part_labels(task, num_held_out=stage.task.held_out if stage.task else 0)
        _check_pairs(stage)


def check_low_rank(stage: StageConfig, shape: ModelConfig) -> None:
    """Check that a task stage's low-rank corrections fit what it starts from.

    Raises:
        ModelError: the rank is too high.
    """
    if stage.task is not None and stage.task.method == "lora":
        check_expansion(shape, ExpandConfig(method="lora", rank=stage.task.rank))


def _check_pairs(stage: StageConfig) -> None:
    pairs = stage.task.preference if stage.task else None
    if pairs is not None and not Path(pairs.path).is_file():
        raise RecipeError(
            f"The stage {stage.name!r} names {pairs.path} as the path of its preference pairs, "
            "which is no file. Paths are relative to the recipe's folder."
        )


def _check_files(stage: StageConfig, task: TaskConfig) -> None:
    for key, path in (("path", task.path), ("file", task.file)):
        if path and not Path(path).is_file():
            raise RecipeError(
                f"The stage {stage.name!r} names {path} as the {key} of the task {task.name!r}, "
                "which is no file. Paths are relative to the recipe's folder."
            )
