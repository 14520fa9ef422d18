"""Text from outside, the command line and standard input: UTF-8, or an error that says so.

printf 从前 | hanlin generate runs/demo --prompt -
"""

from __future__ import annotations

import sys

from hanlin.errors import UserError

__all__ = ["check_text", "read_input"]


def read_input() -> str:
    """Return all of standard input.

    Raises:
        UserError: it is not UTF-8.
    """
    return check_text(sys.stdin.read(), "Standard input")


def check_text(text: str, what: str) -> str:
    """Return a text that came from outside, if it was UTF-8.

    Raises:
        UserError: it was not; Python keeps such bytes as lone surrogates.
    """
    wrong = next((letter for letter in text if "\udc80" <= letter <= "\udcff"), None)
    if wrong is None:
        return text
    raise UserError(
        f"{what} is not UTF-8: it has the byte 0x{ord(wrong) - 0xDC00:02X}. Convert it first, for "
        "instance with: iconv -f GB18030 -t UTF-8"
    )
