"""Tasks by name, and a task of one's own from a Python file.

python -m hanlin.tasks.registry
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hanlin.config import TaskConfig
from hanlin.errors import DataError, RecipeError
from hanlin.tasks.base import Task
from hanlin.tasks.classify import Classify
from hanlin.tasks.dialogue import Dialogue
from hanlin.tasks.summarize import Summarize
from hanlin.tasks.translate import Translate

__all__ = ["TASKS", "find_task", "load_task"]

TASKS: Mapping[str, Task[Any]] = {
    task.name: task for task in (Dialogue(), Summarize(), Translate(), Classify())
}
"""The tasks that Hanlin brings along."""


def find_task(config: TaskConfig) -> Task[Any]:
    """Return the task that an entry of a recipe means.

    Raises:
        RecipeError: there is no task of that name.
        DataError: the file defines none, or one of another name.
    """
    if not config.file:
        if config.name in TASKS:
            return TASKS[config.name]
        raise RecipeError(
            f"There is no task {config.name!r}; there are {', '.join(TASKS)}. Name one of these, "
            "or give the Python file that defines it as `file`."
        )
    task = load_task(Path(config.file))
    if task.name != config.name:
        raise DataError(
            f"{config.file} defines the task {task.name!r}, but the recipe calls it "
            f"{config.name!r}. Give both the same name."
        )
    return task


def load_task(path: Path) -> Task[Any]:
    """Run a Python file and return the task that it defines as `TASK`.

    Raises:
        DataError: the file is not there, does not run, or defines no task.
    """
    spec = importlib.util.spec_from_file_location(f"hanlin_task_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise DataError(f"The task file {path} is not there, or is no Python file (.py).")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the file is the user's, and may fail in any way
        raise DataError(f"The task file {path} does not run: {error!r}. Repair it.") from error
    task = getattr(module, "TASK", None)
    if not isinstance(task, Task):
        raise DataError(
            f"{path} defines no task: `TASK` is {task!r}. Write TASK = YourTask(), a Task of "
            "hanlin.tasks."
        )
    return task


if __name__ == "__main__":
    print(*TASKS)
