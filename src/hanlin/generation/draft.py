"""One text in the writing, and what it is when it is finished.

python -m hanlin.generation.draft
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hanlin.generation.stream import TextStream

__all__ = ["Completion", "Draft", "FinishReason", "TokenLogprob"]

FinishReason = Literal["stop", "length", "cancelled", "deadline"]


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token with its bytes and its log-probability in nats."""

    id: int
    text: str
    """The bytes as text; U+FFFD where they are only a part of a character."""
    bytes: list[int]
    """The bytes as numbers; those of several tokens make up a character."""
    logprob: float
    top: list[TokenLogprob] = field(default_factory=list)
    """The likeliest tokens at this place, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A text that the engine wrote."""

    text: str
    """The continuation, without the prompt, control tokens and stop strings."""
    ids: list[int]
    """The tokens written; an end token is not among them."""
    finish_reason: FinishReason
    """`stop` at an end token or stop string; `length` at max_tokens or a full context;
    `cancelled` or `deadline` where a scheduler ended it early, with what was written by then."""
    prompt_tokens: int
    """Tokens of the prompt."""
    logprobs: list[TokenLogprob] = field(default_factory=list)
    """Of each written token, where they were asked for."""
    score: float | None = None
    """What a search judged it by."""


@dataclass(slots=True)
class Draft:
    """One text in the writing."""

    prompt: list[int]
    limit: int
    stream: TextStream
    ids: list[int] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    reason: FinishReason | None = None
    score: float | None = None

    def write(self, token: int, data: bytes) -> None:
        """Add one token with its bytes; end at a stop string or at the limit."""
        self.ids.append(token)
        self._add(self.stream.push(data))
        if self.stream.stopped:
            self.end("stop")
        elif len(self.ids) == self.limit:
            self.end("length")

    def end(self, reason: FinishReason) -> None:
        """End the text; what was held back is added."""
        self.reason = reason
        self._add(self.stream.close())

    def complete(self) -> Completion:
        """Return the finished text."""
        assert self.reason is not None
        text = "".join(self.pieces)
        return Completion(text, self.ids, self.reason, len(self.prompt), self.logprobs, self.score)

    def _add(self, piece: str) -> None:
        if piece:
            self.pieces.append(piece)


if __name__ == "__main__":
    note = Draft([1, 2], limit=6, stream=TextStream())
    for byte in "翰林".encode():
        note.write(byte, bytes([byte]))
    print(note.complete())
