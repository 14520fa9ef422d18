"""Tasks by name, and a task of one's own in one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from hanlin.config import TaskConfig, WorldConfig
from hanlin.errors import DataError, RecipeError
from hanlin.tasks import TASKS, find_task, load_task

OWN = """
from hanlin.tasks import Encoded, Measured, Task


class Echo(Task):
    name = "echo"
    control = ("<|copy|>",)

    def read(self, record):
        return [record.text("text")]

    def encode(self, example, tokenizer):
        mark, text = tokenizer.control["<|copy|>"], tokenizer.encode(example)
        return Encoded.of([tokenizer.eot_id, *text, mark], [*text, tokenizer.eot_id])

    def measure(self, engine, examples):
        return Measured({"examples": len(examples)})


TASK = Echo()
"""


def test_the_known_tasks_are_found_by_name() -> None:
    assert list(TASKS) == ["dialogue", "summarize", "translate", "classify"]
    world = WorldConfig()
    assert find_task(TaskConfig(name="translate", world=world)) is TASKS["translate"]
    with pytest.raises(RecipeError, match="no task 'rhyme'; there are dialogue, summarize"):
        find_task(TaskConfig(name="rhyme", world=world))


def test_a_file_defines_a_task(tmp_path: Path) -> None:
    path = tmp_path / "echo.py"
    path.write_text(OWN, encoding="utf-8")
    assert find_task(TaskConfig(name="echo", path="x", file=str(path))).name == "echo"
    with pytest.raises(DataError, match="defines the task 'echo', but the recipe calls it 'other'"):
        find_task(TaskConfig(name="other", path="x", file=str(path)))


@pytest.mark.parametrize(
    ("text", "message"),
    [("TASK = 3", "defines no task: `TASK` is 3"), ("1 / 0", "does not run: ZeroDivisionError")],
)
def test_a_file_without_a_task_says_so(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "own.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        load_task(path)
    with pytest.raises(DataError, match="is not there"):
        load_task(tmp_path / "none.py")
