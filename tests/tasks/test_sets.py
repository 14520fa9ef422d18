"""What is learnt and what is kept apart never meet."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hanlin.config import TaskConfig, WorldConfig
from hanlin.data import READ
from hanlin.errors import DataError, TokenizerError
from hanlin.tasks import TaskSet, gather_task, gather_tasks
from hanlin.text.world.casting import is_held_out
from hanlin.text.world.lexicon import ACTORS, THINGS
from hanlin.tokenizers import Tokenizer

WORLD = TaskConfig(name="dialogue", world=WorldConfig(stories=60))


def prompts_of(found: TaskSet) -> set[tuple[int, ...]]:
    prompts = set()
    for start, end in zip(found.rows.starts[:-1], found.rows.starts[1:], strict=True):
        numbers = found.rows.numbers[start:end]
        first = int(np.argmax(numbers > READ))
        prompts.add(tuple((READ - numbers[:first]).tolist()))
    return prompts


def test_no_prompt_that_is_learnt_is_held_out(bpe: Tokenizer) -> None:
    found = gather_task(WORLD, bpe, 200, num_held_out=8)
    assert found.rows.num_examples + found.too_long == 3 * 120
    learnt = prompts_of(found)
    assert {name: len(group) for name, group in found.held_out.items()} == {
        f"{group}.{language}": 8
        for group in ("other_stories", "new_pairs")
        for language in ("zh", "en")
    }
    for group in found.held_out.values():
        for example in group:
            assert found.task.encode(example, bpe).prompt not in learnt


def test_the_new_pairs_are_named_in_the_examples(bpe: Tokenizer) -> None:
    found = gather_task(WORLD, bpe, 200, num_held_out=4)
    for talk in found.held_out["new_pairs.zh"]:
        text = "".join(message.content for message in talk.messages)
        assert any(
            actor.zh in text and thing.zh in text and is_held_out(actor.key, thing.key)
            for actor in ACTORS.values()
            for thing in THINGS.values()
        )


def test_the_same_settings_give_the_same_examples(bpe: Tokenizer) -> None:
    one, other = (gather_task(WORLD, bpe, 200, num_held_out=4) for _ in range(2))
    assert np.array_equal(one.rows.numbers, other.rows.numbers)
    assert one.rows.plan == other.rows.plan
    assert one.held_out == other.held_out


def test_tasks_are_the_same_from_one_process_and_from_several(bpe: Tokenizer) -> None:
    configs = [TaskConfig(name=n, world=WorldConfig(stories=30)) for n in ("dialogue", "translate")]
    alone, helped = (
        gather_tasks(configs, bpe, 200, num_held_out=2, processes=number) for number in (1, 2)
    )
    for one, other in zip(alone, helped, strict=True):
        assert one.config == other.config
        assert np.array_equal(one.rows.numbers, other.rows.numbers)
        assert one.rows.plan == other.rows.plan
        assert (one.held_out, one.answers) == (other.held_out, other.answers)


def test_a_file_holds_out_a_tenth_whatever_its_order(tmp_path: Path, bpe: Tokenizer) -> None:
    lines = [
        json.dumps({"text": f"小猫看见{n}条鱼。", "label": "多"}) for n in [*range(40), *range(40)]
    ]
    kept = []
    for name, order in (("a.jsonl", lines), ("b.jsonl", lines[::-1])):
        (tmp_path / name).write_text("\n".join(order), encoding="utf-8")
        task = TaskConfig(name="classify", path=str(tmp_path / name))
        found = gather_task(task, bpe, 100, num_held_out=100)
        kept.append({example.text for example in found.held_out["file.zh"]})
        assert found.rows.num_examples == 2 * 36
    assert kept[0] == kept[1]
    assert len(kept[0]) == 4


def test_examples_that_no_row_holds_are_counted(bpe: Tokenizer) -> None:
    task = TaskConfig(name="translate", world=WorldConfig(stories=40))
    found = gather_task(task, bpe, 80, num_held_out=2)
    assert found.too_long > 0
    assert found.rows.num_examples + found.too_long == 2 * 40 * (2 + 4)  # and what is drilled
    with pytest.raises(DataError, match="No example of the task 'translate' fits a row of 8"):
        gather_task(task, bpe, 8, num_held_out=2)


def test_a_tokenizer_without_the_control_tokens_is_refused(bpe: Tokenizer) -> None:
    class Foreign:
        kind = "hf"
        control = {"<|im_start|>": 1}  # noqa: RUF012

    with pytest.raises(TokenizerError, match=r"lacks the control tokens <\|im_end\|>.*dialogue"):
        gather_task(WORLD, Foreign(), 100, num_held_out=2)  # type: ignore[arg-type]


def test_a_wrong_record_is_named(tmp_path: Path, bpe: Tokenizer) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"zh": "小猫", "en": "cat"}\n{"zh": "小猫"}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"pairs\.jsonl, line 2: the field 'en' is missing"):
        gather_task(TaskConfig(name="translate", path=str(path)), bpe, 100, num_held_out=1)


def test_records_that_cannot_be_used_are_skipped_and_counted_where_that_is_asked(
    bpe: Tokenizer, tmp_path: Path
) -> None:
    path = tmp_path / "pairs.jsonl"
    lines = [
        json.dumps({"zh": f"小猫有{n}个球。", "en": f"The cat had {n} balls."}) for n in range(30)
    ]
    lines[7], lines[9] = '{"zh": "小', json.dumps({"zh": "The cat ran.", "en": "小猫跑了。"})
    path.write_text("\n".join(lines), encoding="utf-8")
    task = TaskConfig(name="translate", path=str(path))
    with pytest.raises(DataError, match="line 8: this is not JSON"):
        gather_task(task, bpe, 100, num_held_out=1)
    found = gather_task(task.model_copy(update={"on_error": "skip"}), bpe, 100, num_held_out=1)
    held = sum(map(len, found.held_out.values()))
    assert found.rows.num_examples + found.too_long + held == 2 * 28
    assert len(found.skipped) == 2
    assert "line 8" in found.skipped[0]
    assert "line 10: the columns look mixed up" in found.skipped[1]
