"""Log-probabilities as OpenAI's two forms show them.

A token that is a part of a character is written `bytes:\\xe7\\x8c`, as no text could show it; its
`bytes` say the same in numbers.

    python -m hanlin.serving.notes
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Sequence
from typing import Any

from hanlin.errors import HanlinError
from hanlin.generation import TokenLogprob

__all__ = ["ChatNotes", "CompletionNotes", "Noted", "shown_token"]

_LEAST = -9999.0
"""What stands for minus infinity, which JSON cannot say."""


class _Places:
    """Where tokens stand in a text, counted in characters."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._characters = 0

    def place(self, data: bytes) -> int:
        """Return the number of the character that the next token begins or goes on with."""
        if data and data[0] & 0xC0 != 0x80:  # it goes on with none, so one left open is broken
            self._characters += len(self._decoder.decode(b"", final=True))
        found = self._characters
        self._characters += len(self._decoder.decode(data))
        return found


class Noted:
    """The notes of one text, handed out as far as its characters are."""

    def __init__(self) -> None:
        """Begin before the first token."""
        self._places = _Places()
        self._next: int | None = None
        self._given = 0
        self._sent = 0

    def take(
        self, notes: Sequence[TokenLogprob], piece: str, *, ended: bool = False
    ) -> list[TokenLogprob]:
        """Return the notes that have become due with a further piece of text.

        A token is due once a character that it begins or goes on with was handed out, so that what
        a stop string cut off has no notes; `ended` says that nothing was cut off.
        """
        self._sent += len(piece)
        first = self._given
        while self._given < len(notes):
            if self._next is None:
                self._next = self._places.place(bytes(notes[self._given].bytes))
            if not ended and self._next >= self._sent:
                break
            self._given += 1
            self._next = None
        return list(notes[first : self._given])


class ChatNotes:
    """The form of `/v1/chat/completions`."""

    def show(self, notes: Sequence[TokenLogprob]) -> dict[str, Any]:
        """Return notes as the field `logprobs`."""
        content = [
            {**_entry(note), "top_logprobs": [_entry(other) for other in note.top]}
            for note in notes
        ]
        return {"content": content, "refusal": None}


class CompletionNotes:
    """The form of `/v1/completions`, with the place of each token in the text."""

    def __init__(self) -> None:
        """Begin at the start of a text."""
        self._places = _Places()

    def show(self, notes: Sequence[TokenLogprob | bytes]) -> dict[str, Any]:
        """Return notes that follow those before as the field `logprobs`.

        Plain bytes stand for a token of which nothing is known: a text's first.
        """
        shown: dict[str, list[Any]] = {
            "tokens": [],
            "token_logprobs": [],
            "top_logprobs": [],
            "text_offset": [],
        }
        for note in notes:
            known = None if isinstance(note, bytes) else note
            data = note if isinstance(note, bytes) else bytes(note.bytes)
            top = known and {shown_token(o.bytes): finite(o.logprob) for o in known.top}
            shown["tokens"].append(shown_token(data))
            shown["token_logprobs"].append(known and finite(known.logprob))
            shown["top_logprobs"].append(top)
            shown["text_offset"].append(self._places.place(data))
        return dict(shown)


def shown_token(data: Sequence[int] | bytes) -> str:
    """Return a token's bytes as text, or spelt out where they are no text.

    >>> shown_token(list("猫".encode())), shown_token([0xe7, 0x8c])
    ('猫', 'bytes:\\\\xe7\\\\x8c')
    """
    try:
        return bytes(data).decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)


def finite(logprob: float) -> float:
    """Return a log-probability that JSON can say.

    Raises:
        HanlinError: it is no number, which the engine should never give.
    """
    if math.isnan(logprob):
        raise HanlinError("A log-probability is no number.")
    return max(logprob, _LEAST)


def _entry(note: TokenLogprob) -> dict[str, Any]:
    token = shown_token(note.bytes)
    return {"token": token, "logprob": finite(note.logprob), "bytes": note.bytes}


if __name__ == "__main__":
    cat = TokenLogprob(300, "猫", list("猫".encode()), -0.5)
    print(ChatNotes().show([cat]), CompletionNotes().show([cat, cat]))
