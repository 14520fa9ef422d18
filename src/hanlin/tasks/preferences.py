"""Pairs of replies to one prompt, of which one is preferred: read, written as tokens, kept apart.

    {"prompt": "…", "chosen": "…", "rejected": "…"}
    {"messages": [{"role": "user", "content": "…"}], "chosen": "…", "rejected": "…"}
    {"conversations": [{"from": "human", "value": "…"}], "chosen": {"from": "gpt", "value": "…"}, …}
    {"chosen": [… turns …], "rejected": [… turns …]}         which differ in the last turn alone

A prompt is the user's message, or the turns so far; a reply is written as the assistant's turn of a
dialogue, decision and end included. Of a file, the pairs whose prompts have the smallest hashes are
held out, so that no prompt that is learnt is ever asked about.

    python -m hanlin.tasks.preferences FILE
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from hanlin.config import PreferenceConfig
from hanlin.data import PreferenceRows, hide_tokens
from hanlin.errors import DataError
from hanlin.tasks.base import Encoded, check_control
from hanlin.tasks.dialogue import Dialogue
from hanlin.tasks.sources import Message, Record, read_records, read_turns
from hanlin.tasks.turns import Talk, turn_prompt
from hanlin.text import find_language, short_language
from hanlin.tokenizers import Tokenizer

__all__ = ["EncodedPair", "PreferencePair", "PreferenceSet", "gather_pairs", "read_pair"]

_LEAST_FILE = 10
"""One prompt in so many of a file may be held out."""


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """The turns so far, the reply that is preferred, and the one that is not."""

    turns: tuple[Message, ...]
    chosen: str
    rejected: str


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """A pair as tokens."""

    language: str
    chosen: Encoded
    rejected: Encoded


@dataclass(frozen=True)
class PreferenceSet:
    """The pairs of a file."""

    rows: PreferenceRows
    held_out: Sequence[EncodedPair]
    too_long: int
    """Pairs of which a half is longer than a row, which were left out."""


def gather_pairs(
    config: PreferenceConfig, tokenizer: Tokenizer, row_length: int, *, num_held_out: int
) -> PreferenceSet:
    """Read the pairs of a file, and keep some of them apart, at most a tenth of the prompts.

    Raises:
        DataError: a record holds no pair, or none is left to learn from.
        TokenizerError: the tokenizer cannot write dialogues.
    """
    check_control(tokenizer, "preference", Dialogue.control)
    prompts: dict[int, list[EncodedPair]] = {}
    too_long = 0
    for record in read_records(Path(config.path)):
        pair = _encode(read_pair(record), tokenizer)
        if max(len(pair.chosen.ids), len(pair.rejected.ids)) > row_length + 1:
            too_long += 1
            continue
        key = crc32(np.array(pair.chosen.prompt, dtype=np.int32).tobytes())
        prompts.setdefault(key, []).append(pair)
    number = min(num_held_out, max(len(prompts) > 1, len(prompts) // _LEAST_FILE))
    keys = sorted(prompts)
    training = [pair for key in keys[number:] for pair in prompts[key]]
    if not training:
        raise DataError(
            f"{config.path} leaves no pair to learn from: {too_long} do not fit a row of "
            f"{row_length} tokens. Raise model.context_length, or give shorter replies."
        )
    rows = PreferenceRows.pack([(_numbers(one.chosen), _numbers(one.rejected)) for one in training])
    return PreferenceSet(rows, [pair for key in keys[:number] for pair in prompts[key]], too_long)


def read_pair(record: Record) -> PreferencePair:
    """Return the pair of a record.

    Raises:
        DataError: naming file, line and field.
    """
    chosen, rejected = _reply(record, "chosen"), _reply(record, "rejected")
    turns = _prompt(record) or chosen[:-1]
    for name, reply in (("chosen", chosen), ("rejected", rejected)):
        if len(reply) > 1 and tuple(reply[:-1]) != tuple(turns):
            raise DataError(
                f"{record.place}: the turns of {name!r} before the last are not those of the "
                "prompt. Both replies must answer the same turns."
            )
    if not turns or turns[-1].role != "user":
        raise DataError(
            f"{record.place}: there is no message of the user to reply to. Give `prompt`, or "
            "`messages` that end with one."
        )
    ours, theirs = chosen[-1].content, rejected[-1].content
    if ours == theirs:
        raise DataError(
            f"{record.place}: 'chosen' and 'rejected' are the same text, so that neither can be "
            "preferred. Leave the record out."
        )
    return PreferencePair(tuple(turns), ours, theirs)


def _prompt(record: Record) -> list[Message]:
    """Return the turns that are given apart from the replies; none where there are none."""
    for field in ("messages", "prompt", "conversations"):
        if isinstance(record.values.get(field), list):
            return _turns(record, field)
    if "prompt" not in record:
        return []
    system = [Message("system", record.text("system"))] if record.values.get("system") else []
    return [*system, Message("user", record.text("prompt"))]


def _reply(record: Record, field: str) -> list[Message]:
    """Return a reply: a text, one turn, or turns of which the last is the assistant's."""
    value = record.values.get(field)
    if isinstance(value, Mapping):
        return _turns(Record({field: [value]}, record.place), field)
    if not isinstance(value, list):
        return [Message("assistant", record.text(field))]
    turns = _turns(record, field)
    if turns[-1].role != "assistant":
        raise DataError(f"{record.place}: the last turn of {field!r} is not the assistant's.")
    return turns


def _turns(record: Record, field: str) -> list[Message]:
    """Return the turns in a field, whose keys are `role` and `content`, or `from` and `value`."""
    return read_turns(
        Record({"messages": [_renamed(turn) for turn in record.values[field]]}, record.place)
    )


def _renamed(turn: Any) -> Any:
    if isinstance(turn, Mapping) and "from" in turn:
        return {**turn, "role": turn["from"], "content": turn.get("value")}
    return turn


def _encode(pair: PreferencePair, tokenizer: Tokenizer) -> EncodedPair:
    prompt = turn_prompt(tokenizer, pair.turns)
    text = "\n".join(turn.content for turn in pair.turns) + pair.chosen
    return EncodedPair(
        short_language(find_language(text)),
        _answered(pair, pair.chosen, len(prompt), tokenizer),
        _answered(pair, pair.rejected, len(prompt), tokenizer),
    )


def _answered(pair: PreferencePair, reply: str, start: int, tokenizer: Tokenizer) -> Encoded:
    """Return the dialogue with a reply; earlier turns of the assistant are only read."""
    whole = Dialogue().encode(Talk((*pair.turns, Message("assistant", reply)), "all"), tokenizer)
    learnt = tuple(flag and place >= start for place, flag in enumerate(whole.learnt))
    # What the template writes after the turn's end is not the reply's, and nobody reads it.
    end = len(learnt) - learnt[::-1].index(True)
    return Encoded(whole.ids[:end], learnt[:end])


def _numbers(encoded: Encoded) -> Any:
    return hide_tokens(encoded.ids, encoded.learnt)


if __name__ == "__main__":
    import sys

    print(sum(1 for _ in map(read_pair, read_records(Path(sys.argv[1])))), "pairs")
