"""The alphabet in which byte-level vocabularies are written: one visible character a byte.

GPT-2 (Radford et al. 2019) wrote bytes that print as themselves, and moved the others up to U+0100
and beyond. tokenizers, transformers and llama.cpp read and write the same alphabet.

    python -m hanlin.tokenizers.bytelevel
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["BYTE_TO_CHAR", "CHAR_TO_BYTE", "to_bytes", "to_chars"]


def _alphabet() -> dict[int, str]:
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    moved = {byte: chr(0x100 + place) for place, byte in enumerate(others)}
    return {byte: moved.get(byte, chr(byte)) for byte in range(256)}


BYTE_TO_CHAR: Mapping[int, str] = _alphabet()
"""Byte to its character."""
CHAR_TO_BYTE: Mapping[str, int] = {char: byte for byte, char in BYTE_TO_CHAR.items()}
"""Character to its byte."""
_TO_CHARS = dict(BYTE_TO_CHAR)
_TO_BYTES = dict.fromkeys(range(256), "\uffff") | {
    ord(char): chr(byte) for char, byte in CHAR_TO_BYTE.items()
}
"""Tables for `str.translate` between the alphabet and Latin-1, which is fast for long vocabularies;
U+FFFF, which Latin-1 has not, is what is not in the alphabet."""


def to_chars(token: bytes) -> str:
    """Write bytes in the alphabet.

    >>> to_chars(" 中".encode())
    'Ġä¸Ń'
    """
    return token.decode("latin-1").translate(_TO_CHARS)


def to_bytes(token: str) -> bytes:
    """Read bytes from the alphabet; raises KeyError for a character that is not in it.

    >>> to_bytes("Ġä¸Ń").decode()
    ' 中'
    """
    try:
        return token.translate(_TO_BYTES).encode("latin-1")
    except UnicodeEncodeError as error:
        raise KeyError(token[error.start]) from error


if __name__ == "__main__":
    print(to_chars("汉 字\n".encode()))
