"""Records of the sets that are in use, as items; and the plain shape for a set of one's own.

    {"context": "…", "choices": ["…", "…"], "answer": 0}      a question
    {"context": "…", "target": "…"}                          what the model itself must write
    {"good": "…", "bad": "…"}                                 a minimal pair

`id`, and `category`, `subject`, `phenomenon` or `paradigm` may stand beside.

    python -m hanlin.evaluation.suites.readers
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hanlin.evaluation.suites.items import Item

__all__ = [
    "read_ending",
    "read_gap",
    "read_gap_choice",
    "read_last_word",
    "read_pair",
    "read_plain",
    "read_pronoun",
    "read_question",
    "read_reason",
    "read_subject_question",
]

_Record = Mapping[str, Any]
_GROUPS = ("category", "subject", "phenomenon", "paradigm")
_GAP_CHOICE, _GAP = "#idiom#", "____"
_REASONS = {"cause": "，因为", "effect": "，所以"}
_TRUTHS = {"true": 0, "false": 1}


def read_plain(record: _Record) -> Item:
    """Read an item of the plain shape, a last word to write, or a minimal pair."""
    if "good" in record:
        return read_pair(record)
    if "target" in record:
        return read_last_word(record)
    return _item(record, _text(record, "context"), record["choices"], record["answer"])


def read_pair(record: _Record) -> Item:
    """Read a minimal pair: `good` and `bad`."""
    return _item(record, "", [_text(record, "good"), _text(record, "bad")], 0)


def read_last_word(record: _Record) -> Item:
    """Read a passage with its last word apart: `context` and `target`."""
    return _item(record, _text(record, "context"), [_text(record, "target")], 0)


def read_question(record: _Record) -> Item:
    """Read `query`, `choices` and `gold`; the query ends where the answer begins."""
    return _item(record, _text(record, "query"), record["choices"], record["gold"])


def read_subject_question(record: _Record) -> Item:
    """Read a Chinese examination question; the choices are written out, not lettered."""
    context = f"题目：{_text(record, 'query')}\n答案："
    return _item(record, context, record["choices"], record["gold"])


def read_ending(record: _Record) -> Item:
    """Read a beginning with endings, joined by a space except before a punctuation mark."""
    endings = [ending.strip() for ending in record["choices"]]
    joined = [ending if ending[:1] in ",.;:!?" else f" {ending}" for ending in endings]
    return _item(record, _text(record, "query"), joined, record["gold"])


def read_reason(record: _Record) -> Item:
    """Read a Chinese premise with two causes, or with two effects."""
    context = _text(record, "premise").rstrip("。") + _REASONS[record["question"]]
    group = {"category": record["question"]}
    return _item({**record, **group}, context, record["choices"], record["gold"])


def read_gap_choice(record: _Record) -> Item:
    """Read a text with a gap; each choice fills it and is judged with the text that follows."""
    before, after = _text(record, "query").split(_GAP_CHOICE)
    return _item(record, before, [choice + after for choice in record["choices"]], record["gold"])


def read_gap(record: _Record) -> Item:
    """Read a story and a sentence with a gap; the model must write what stands in the gap."""
    before, _, _ = _text(record, "question").partition(_GAP)
    return _item(record, f"{_text(record, 'context')}\n{before}", [_text(record, "answer")], 0)


def read_pronoun(record: _Record) -> Item:
    """Read a Chinese sentence: does a pronoun in it mean the words that are given?"""
    asked = f"“{_text(record, 'span2')}”指的是“{_text(record, 'span1')}”吗？"
    context = f"{_text(record, 'text')}\n问：{asked}\n答："
    return _item(record, context, ["是", "不是"], _TRUTHS[record["label"]])


def _item(record: _Record, context: str, choices: Any, answer: Any) -> Item:
    if not isinstance(choices, list) or not all(isinstance(choice, str) for choice in choices):
        raise TypeError(f"the choices must be a list of texts, not {choices!r}")
    if type(answer) is not int:
        raise TypeError(f"the answer must be the number of a choice, not {answer!r}")
    groups = {name: str(record[name]) for name in _GROUPS if record.get(name) is not None}
    return Item(str(record["id"]), context, tuple(choices), answer, groups)


def _text(record: _Record, field: str) -> str:
    value = record[field]
    if not isinstance(value, str):
        raise TypeError(f"{field} must be a text, not {value!r}")
    return value


if __name__ == "__main__":
    print(read_plain({"id": 1, "good": "他来了。", "bad": "他了来。"}))
