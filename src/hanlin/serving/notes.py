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


class Noted:
    """The notes of one text, handed out as far as its characters are."""

    def __init__(self) -> None:
        """Begin before the first token."""
        self._given = 0
        self._bytes = 0
        self._sent = 0

    def take(
        self, notes: Sequence[TokenLogprob], piece: str, *, ended: bool = False
    ) -> list[TokenLogprob]:
        """Return the notes that have become due with a further piece of text.

        A token is due once a character that it begins or goes on with was handed out, so that what
        a stop string cut off has no notes; `ended` says that nothing was cut off.
        """
        self._sent += len(piece.encode())
        first = self._given
        while self._given < len(notes) and (ended or self._bytes < self._sent):
            self._bytes += len(notes[self._given].bytes)
            self._given += 1
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
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._characters = 0

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
            shown["text_offset"].append(self._characters)
            self._characters += len(self._decoder.decode(data))
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
