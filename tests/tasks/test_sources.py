"""A user's own data: the forms that are read, and errors that name file, line and field."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from hanlin.errors import DataError
from hanlin.tasks import Message, Record, read_messages, read_records

TURNS = (Message("user", "你好"), Message("assistant", "你好，请讲。"))
MESSAGES = {
    "messages": [
        {"role": "user", "content": "你好"},
        {"role": "assistant", "content": "你好，请讲。"},
    ]
}


def write(folder: Path, *records: Any, name: str = "data.jsonl") -> Path:
    path = folder / name
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    path.write_bytes(gzip.compress(lines.encode()) if name.endswith(".gz") else lines.encode())
    return path


@pytest.mark.parametrize(
    "record",
    [
        MESSAGES,
        {
            "conversations": [
                {"from": "human", "value": "你好"},
                {"from": "gpt", "value": "你好，请讲。"},
                {"from": "human", "value": "再见"},
            ]
        },
        {"instruction": "你好", "input": "", "output": "你好，请讲。"},
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "你好"}]},
                {"role": "assistant", "content": "你好，请讲。"},
            ]
        },
    ],
)
def test_each_form_gives_the_same_dialogue(tmp_path: Path, record: Any) -> None:
    (found,) = read_records(write(tmp_path, record))
    assert read_messages(found) == TURNS


def test_packed_files_and_arrays_are_read(tmp_path: Path) -> None:
    (packed,) = read_records(write(tmp_path, MESSAGES, name="data.jsonl.gz"))
    array = tmp_path / "data.json"
    array.write_text(json.dumps([MESSAGES, MESSAGES]), encoding="utf-8")
    assert [read_messages(record) for record in (packed, *read_records(array))] == [TURNS] * 3


def test_an_input_follows_its_instruction(tmp_path: Path) -> None:
    record = {"instruction": "翻译", "input": "小猫", "output": "cat"}
    (found,) = read_records(write(tmp_path, record))
    assert read_messages(found)[0].content == "翻译\n小猫"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"text": "x"}, r"line 1: there is no dialogue; the record has 'text'"),
        ({"messages": "x"}, r"line 1: the field 'messages' holds text in place of a list"),
        ({"messages": [{"role": "user"}]}, r"messages\[0\]: the field 'content' is missing"),
        (
            {"messages": [{"role": "tool", "content": "x"}]},
            r"messages\[0\]: the field 'role' is 'tool'; known are system",
        ),
        ({"messages": [{"role": "user", "content": "x"}]}, "the assistant answers nothing"),
        (
            {"messages": [{"role": "assistant", "content": "x", "decision": "maybe"}]},
            "'decision' is text; it is 'ask' or 'answer'",
        ),
        ({"instruction": "x", "input": 3, "output": "y"}, "the field 'input' holds 3"),
        ({"instruction": "x", "output": " "}, "the field .output. is blank"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, record: Any, message: str) -> None:
    (found,) = read_records(write(tmp_path, record))
    with pytest.raises(DataError, match=message):
        read_messages(found)


def test_a_line_that_is_no_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.jsonl, line 2: there is a list"):
        list(read_records(write(tmp_path, {}, [1])))
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"a": 1}\n\n{"a": \n', encoding="utf-8")
    with pytest.raises(DataError, match=r"broken\.jsonl, line 3: this is not JSON"):
        list(read_records(broken))
    broken.write_text("[1,\n2", encoding="utf-8")
    with pytest.raises(DataError, match=r"broken\.jsonl, line 2"):
        list(read_records(broken))
    broken.write_text("\n", encoding="utf-8")
    with pytest.raises(DataError, match="holds no record"):
        list(read_records(broken))


def test_keywords_are_a_list_or_one_text(tmp_path: Path) -> None:
    records = read_records(
        write(tmp_path, {"k": ["小猫", "河边"]}, {"k": "小猫，河边"}, {"k": [1]})
    )
    assert next(records).texts("k") == next(records).texts("k") == ("小猫", "河边")
    with pytest.raises(DataError, match="line 3: the field 'k' holds a list"):
        next(records).texts("k")


def test_broken_lines_are_handed_over_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    lines = [json.dumps(MESSAGES), '{"messages": [', "[1]", json.dumps(MESSAGES)]
    path.write_text("\n".join(lines), encoding="utf-8")
    broken: list[DataError] = []
    found = list(read_records(path, on_broken=broken.append))
    assert [read_messages(record) for record in found] == [TURNS] * 2
    assert [record.place.rpartition(", ")[2] for record in found] == ["line 1", "line 4"]
    assert ["line 2: this is not JSON" in str(broken[0]), "line 3" in str(broken[1])] == [True] * 2
    with pytest.raises(DataError, match="line 2: this is not JSON"):
        list(read_records(path))


def test_a_dialogue_begins_with_the_user() -> None:
    turns = [{"role": "assistant", "content": "你好"}, *MESSAGES["messages"]]
    with pytest.raises(DataError, match="here: the dialogue begins with the assistant"):
        read_messages(Record({"messages": turns}, "here"))
    told = [{"role": "system", "content": "简短。"}, *MESSAGES["messages"]]
    assert read_messages(Record({"messages": told}, "here"))[1:] == TURNS


def test_what_the_assistant_offers_is_read() -> None:
    turns = [*MESSAGES["messages"][:1], {**MESSAGES["messages"][1], "offers": ["一", "二"]}]
    assert read_messages(Record({"messages": turns}, "here"))[-1].offers == ("一", "二")
    turns[1]["offers"] = 3  # type: ignore[assignment]
    with pytest.raises(DataError, match=r"here, messages\[1\]: the field 'offers' holds 3"):
        read_messages(Record({"messages": turns}, "here"))
