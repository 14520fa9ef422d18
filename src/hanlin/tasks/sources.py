"""A user's own labelled data: json and jsonl files, record by record, and what is wrong with them.

    {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}
    {"instruction": "…", "input": "…", "output": "…"}                              alpaca
    {"conversations": [{"from": "human", "value": "…"}, {"from": "gpt", "value": "…"}]}   sharegpt
    {"messages": […, {"role": "assistant", "content": "…", "decision": "ask", "offers": ["…"]}]}
    {"text": "…", "summary": "…", "keywords": ["…"]}
    {"zh": "…", "en": "…"}
    {"text": "…", "label": "…"}

A file holds one record a line, or is one JSON array; .gz and .zst around it are unpacked.

    python -m hanlin.tasks.sources FILE
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from hanlin.errors import DataError
from hanlin.text.documents import Reading
from hanlin.text.streams import read_text

__all__ = ["Decision", "Message", "Record", "read_messages", "read_records", "read_turns"]

Decision = Literal["ask", "answer"]
Role = Literal["system", "user", "assistant"]
_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
}


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a dialogue."""

    role: Role
    content: str
    decision: Decision = "answer"
    """Whether the assistant asks back or answers."""
    offers: tuple[str, ...] = ()
    """What the assistant offers to say next: choices for its question, or related questions."""

    def as_dict(self) -> dict[str, Any]:
        """Return the message as JSON values; only the assistant decides and offers."""
        own: dict[str, Any] = {"decision": self.decision} if self.role == "assistant" else {}
        offered = {"offers": list(self.offers)} if self.offers else {}
        return {"role": self.role, "content": self.content, **own, **offered}


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file, and where it stands."""

    values: Mapping[str, Any]
    place: str
    """The file and the line, for messages."""

    def __contains__(self, field: str) -> bool:
        """Whether the record has a field that is not null."""
        return self.values.get(field) is not None

    def text(self, field: str) -> str:
        """Return a field that has to hold text.

        Raises:
            DataError: naming file, line and field.
        """
        value = self.values.get(field)
        if isinstance(value, str) and value.strip():
            return value.strip()
        found = f"holds {_shown(value)} in place of text"
        if value is None or isinstance(value, str):
            found = "is missing" if value is None else "is blank"
        raise DataError(
            f"{self.place}: the field {field!r} {found}; the record has {_names(self.values)}. "
            "Repair the record, or leave it out."
        )

    def texts(self, field: str) -> tuple[str, ...]:
        """Return a field that has to hold a list of texts, or one text with commas.

        Raises:
            DataError: naming file, line and field.
        """
        value = self.values.get(field)
        if isinstance(value, str):
            value = value.replace("，", ",").split(",")
        if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            return tuple(item.strip() for item in value if item.strip())
        raise DataError(
            f"{self.place}: the field {field!r} holds {_shown(value)} in place of a list of texts."
        )


def read_records(
    path: Path, *, on_broken: Callable[[DataError], None] | None = None
) -> Iterator[Record]:
    """Yield the records of a json or jsonl file, packed or not.

    Args:
        path: the file.
        on_broken: what is called with the error of each line that holds no record, in place of
            raising it; then the next line is read.

    Raises:
        DataError: the file cannot be read, or holds what is no record, naming file and line.
    """
    text = read_text(path, Reading())
    empty = True
    for number, value in _values(text, path):
        empty = False
        place = f"{path}, {number}"
        if isinstance(value, dict):
            yield Record(value, place)
            continue
        error = value if isinstance(value, DataError) else _no_record(value, place)
        if on_broken is None:
            raise error
        on_broken(error)
    if empty:
        raise DataError(f"{path} holds no record. Give a file of examples, one a line.")


def read_messages(record: Record) -> tuple[Message, ...]:
    """Return the dialogue in a record of `messages`, of sharegpt, or of alpaca.

    What follows the assistant's last turn is left out. The user begins, after the system if it
    speaks at all: a reply to nothing would teach the assistant to talk before it is asked.

    Raises:
        DataError: naming file, line and field.
    """
    if "messages" in record:
        turns = read_turns(record)
    elif "conversations" in record:
        turns = _turns(record, "conversations", "from", "value")
    elif "instruction" in record:
        given = record.values.get("input") or ""
        if not isinstance(given, str):
            record.text("input")  # says what is wrong with it
        request = "\n".join(part for part in (record.text("instruction"), given.strip()) if part)
        turns = [Message("user", request), Message("assistant", record.text("output"))]
    else:
        raise DataError(
            f"{record.place}: there is no dialogue; the record has {_names(record.values)}. Give "
            "`messages`, `conversations`, or `instruction` and `output`."
        )
    first = next((message.role for message in turns if message.role != "system"), "")
    if first == "assistant":
        raise DataError(
            f"{record.place}: the dialogue begins with the assistant. Take its first turn out, or "
            'put the user\'s before it; on_error = "skip" leaves such records out.'
        )
    last = max((n for n, m in enumerate(turns) if m.role == "assistant"), default=-1)
    if last < 1:
        raise DataError(
            f"{record.place}: the assistant answers nothing. A dialogue needs a turn of the user "
            "and one of the assistant after it."
        )
    return tuple(turns[: last + 1])


def read_turns(record: Record) -> list[Message]:
    """Return all of the `messages` of a record.

    Raises:
        DataError: naming file, line and field.
    """
    return _turns(record, "messages", "role", "content")


def _no_record(value: Any, place: str) -> DataError:
    return DataError(
        f"{place}: there is {_shown(value)} where a record must be, such as "
        '{"text": "…", "label": "…"}.'
    )


def _values(text: str, path: Path) -> Iterator[tuple[str, Any]]:
    """Yield what the lines hold; in place of one that is broken, the error that says so."""
    if text.lstrip()[:1] == "[":
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{path}, line {error.lineno}: this is not JSON ({error.msg})."
            ) from None
        yield from ((f"record {n}", value) for n, value in enumerate(values, start=1))
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            value = DataError(
                f"{path}, line {number}: this is not JSON ({error.msg}): {line[:60].strip()!r}. "
                "Repair the line; a file has one record a line."
            )
        yield f"line {number}", value


def _turns(record: Record, field: str, role: str, content: str) -> list[Message]:
    value = record.values[field]
    if not isinstance(value, list) or not value:
        raise DataError(
            f"{record.place}: the field {field!r} holds {_shown(value)} in place of a list of "
            "turns."
        )
    return [_turn(record, f"{field}[{n}]", turn, role, content) for n, turn in enumerate(value)]


def _turn(record: Record, place: str, turn: Any, role: str, content: str) -> Message:
    if not isinstance(turn, dict):
        raise DataError(f"{record.place}: {place} is {_shown(turn)} in place of a turn.")
    inner = Record({**turn, content: _plain(turn.get(content))}, f"{record.place}, {place}")
    speaker = _ROLES.get(inner.text(role))
    if speaker is None:
        raise DataError(
            f"{inner.place}: the field {role!r} is {turn[role]!r}; known are {', '.join(_ROLES)}."
        )
    decision = turn.get("decision", "answer")
    if decision not in get_args(Decision):
        raise DataError(
            f"{inner.place}: the field 'decision' is {_shown(decision)}; it is 'ask' or 'answer'."
        )
    offers = inner.texts("offers") if "offers" in inner and speaker == "assistant" else ()
    return Message(speaker, inner.text(content), decision, offers)


def _plain(content: Any) -> Any:
    """Return content in parts, [{"type": "text", "text": …}], as one text; else as it is."""
    if isinstance(content, list) and all(
        isinstance(part, dict) and isinstance(part.get("text"), str) for part in content
    ):
        return "".join(part["text"] for part in content)
    return content


def _names(values: Mapping[str, Any]) -> str:
    return ", ".join(map(repr, values)) or "no fields"


def _shown(value: Any) -> str:
    names: Sequence[tuple[type, str]] = ((str, "text"), (list, "a list"), (dict, "an object"))
    name = next((name for kind, name in names if isinstance(value, kind)), "")
    if name and not value:
        return f"{name} that is empty"
    return name or ("nothing" if value is None else repr(value))


if __name__ == "__main__":
    import sys

    print(sum(1 for _ in read_records(Path(sys.argv[1]))), "records")
