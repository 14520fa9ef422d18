"""Text from tokens as they come: whole characters only, nothing past a stop string.

A token may be a part of a character (a Chinese character is three bytes of UTF-8), and the start of
a stop string may turn out not to be one. Both are held back until more is known, so that what has
been handed out never has to be taken back. Bytes that can never become a character are handed out
as U+FFFD at once, as `bytes.decode("utf-8", "replace")` would in the end.

    python -m hanlin.generation.stream
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence

__all__ = ["TextStream"]


class TextStream:
    """Turns the bytes of tokens into text, piece by piece, up to the first stop string."""

    def __init__(self, stop: Sequence[str] = ()) -> None:
        """Begin a text; empty stop strings are passed over."""
        self.stopped = False
        self._stop = tuple(string for string in stop if string)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def push(self, data: bytes) -> str:
        """Take the bytes of one more token; return the text that is now certain, maybe none."""
        if self.stopped:
            return ""
        return self._release(self._decoder.decode(data))

    def close(self) -> str:
        """End the text; return what was held back."""
        if self.stopped:
            return ""
        text = self._release(self._decoder.decode(b"", final=True)) + self._held
        self._held = ""
        return text

    def _release(self, text: str) -> str:
        if not self._stop:
            return text
        held = self._held + text
        found = [place for string in self._stop if (place := held.find(string)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return held[: min(found)]
        keep = max(_overlap(held, string) for string in self._stop)
        self._held = held[len(held) - keep :]
        return held[: len(held) - keep]


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest end of `text` that begins `stop`, short of all of it.

    >>> _overlap("从前有", "有一天"), _overlap("abab", "abac"), _overlap("x", "ab")
    (1, 2, 0)
    """
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)


if __name__ == "__main__":
    stream = TextStream(stop=["。完"])
    pieces = [stream.push(bytes([byte])) for byte in "翰林，写书。完。不要".encode()]
    print([piece for piece in pieces if piece], stream.stopped)
