"""Whether a text that grows byte by byte stands between two characters or inside one.

A rule that changed what follows inside a character would break it: 锁 may be three tokens, and the
last of them has no other sense.

    python -m hanlin.generation.borders
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable

__all__ = ["CharacterBorders"]


class CharacterBorders:
    """Follows the bytes of a text."""

    def __init__(self, before: Iterable[bytes] = ()) -> None:
        """Begin after the bytes of earlier tokens, of which the last four are enough."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for data in before:
            self.push(data)

    @property
    def inside(self) -> bool:
        """Whether a character has begun and is not finished."""
        return bool(self._decoder.getstate()[0])

    def push(self, data: bytes) -> None:
        """Take the bytes of one more token."""
        self._decoder.decode(data)


if __name__ == "__main__":
    borders = CharacterBorders()
    for byte in "锁".encode():
        borders.push(bytes([byte]))
        print(borders.inside)
