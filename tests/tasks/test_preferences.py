"""Preference pairs in the usual shapes, as tokens, and kept apart by prompt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hanlin.config import PreferenceConfig
from hanlin.errors import DataError
from hanlin.tasks.preferences import gather_pairs, read_pair
from hanlin.tasks.sources import Message, Record
from hanlin.tokenizers import Tokenizer

USER = Message("user", "你好吗？")


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": "你好吗？", "chosen": "很好。", "rejected": "不说。"},
        {
            "messages": [{"role": "user", "content": "你好吗？"}],
            "chosen": "很好。",
            "rejected": "不说。",
        },
        {
            "conversations": [{"from": "human", "value": "你好吗？"}],
            "chosen": {"from": "gpt", "value": "很好。"},
            "rejected": {"from": "gpt", "value": "不说。"},
        },
        {
            "chosen": [
                {"role": "user", "content": "你好吗？"},
                {"role": "assistant", "content": "很好。"},
            ],
            "rejected": [
                {"role": "user", "content": "你好吗？"},
                {"role": "assistant", "content": "不说。"},
            ],
        },
        {
            "prompt": [{"role": "user", "content": "你好吗？"}],
            "chosen": [{"role": "assistant", "content": "很好。"}],
            "rejected": [{"role": "assistant", "content": "不说。"}],
        },
    ],
)
def test_the_usual_shapes_are_one(record: dict[str, Any]) -> None:
    pair = read_pair(Record(record, "f, line 1"))
    assert pair.turns == (USER,)
    assert (pair.chosen, pair.rejected) == ("很好。", "不说。")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"prompt": "a", "chosen": "b"}, "'rejected' is missing"),
        ({"prompt": "a", "chosen": "b", "rejected": "b"}, "the same text"),
        ({"chosen": "b", "rejected": "c"}, "no message of the user"),
        (
            {"messages": [{"role": "assistant", "content": "x"}], "chosen": "b", "rejected": "c"},
            "no message of the user",
        ),
        (
            {
                "chosen": [
                    {"role": "user", "content": "x"},
                    {"role": "assistant", "content": "b"},
                ],
                "rejected": [
                    {"role": "user", "content": "y"},
                    {"role": "assistant", "content": "c"},
                ],
            },
            "'rejected' before the last",
        ),
        ({"prompt": "a", "chosen": [{"role": "user", "content": "b"}], "rejected": "c"}, "not the"),
        ({"prompt": "a", "chosen": 7, "rejected": "c"}, "'chosen' holds 7"),
    ],
)
def test_what_is_no_pair_is_named(record: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=f"f, line 1.*{message}"):
        read_pair(Record(record, "f, line 1"))


def write(path: Path, count: int) -> PreferenceConfig:
    records = [
        {"prompt": f"请说{n % (count // 2)}。", "chosen": f"{n}。", "rejected": "不说。" * 3}
        for n in range(count)
    ]
    text = "\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    path.write_text(text, encoding="utf-8")
    return PreferenceConfig(path=str(path))


def test_pairs_are_written_as_turns_and_kept_apart_by_prompt(
    bpe: Tokenizer, tmp_path: Path
) -> None:
    found = gather_pairs(write(tmp_path / "p.jsonl", 40), bpe, 64, num_held_out=100)
    assert found.rows.num_rows == 36  # a tenth of twenty prompts, each with two pairs
    assert len(found.held_out) == 4
    for pair in found.held_out:
        assert pair.chosen.prompt == pair.rejected.prompt
        (answer,) = pair.rejected.answers()
        assert bpe.decode(answer, skip_control=False) == "<|answer|>不说。不说。不说。<|im_end|>"
        assert pair.rejected.ids[0] == bpe.eot_id
    held = {pair.chosen.prompt for pair in found.held_out}
    halves = found.rows.numbers.reshape(2 * found.rows.num_rows, found.rows.width)
    assert not held & {tuple((-2 - half[half <= -2]).tolist()) for half in halves}
    assert len(held) == 2


def test_pairs_that_no_row_holds_are_counted(bpe: Tokenizer, tmp_path: Path) -> None:
    config = write(tmp_path / "p.jsonl", 40)
    with pytest.raises(DataError, match="40 do not fit a row of 8 tokens"):
        gather_pairs(config, bpe, 8, num_held_out=2)
