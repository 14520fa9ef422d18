r"""The pre-tokenizer: where a text is cut before byte pairs are merged inside each piece.

It is the one that llama.cpp knows as `kimi-k2`, after Moonshot's Kimi K2 (arXiv:2507.20534), in the
simplified form that llama.cpp implements: Han characters are isolated from everything else, words
keep the character before them, numbers come in threes. Two spellings of it live here. `PATTERN` is
for the Rust and Oniguruma engines of tiktoken and tokenizers. `split_pattern` is the same for
Python's `re`, which has no `\p{L}`; the trainer and the plain reference use it.

Han is spelled out as llama.cpp does, in ranges; `\p{Han}` would add 々 and 〇. Engines differ in
their Unicode version, so a character that is newer than one of them can be cut differently.

    python -m hanlin.tokenizers.pieces
"""

from __future__ import annotations

import re
import sys
from functools import cache

__all__ = ["HAN", "PATTERN", "split_pattern"]

_HAN_RANGES = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2EBEF),
    (0x2F800, 0x2FA1F),
)

HAN = "".join(f"{chr(first)}-{chr(last)}" for first, last in _HAN_RANGES)
"""Han characters, as the inside of a character class."""

# Escaped rather than literal: tokenizers cuts long patterns at a byte when it prints them.
_HAN_ESCAPED = "".join(rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last in _HAN_RANGES)
_CJK_MARKS = r"\u2014\u2018-\u201d\u2026\u3001-\u3003\u3008-\u3011\uff01-\uff0f\uff1a-\uff20"
_SUFFIX = r"(?:'[sStTmMdD]|'[rR][eE]|'[vV][eE]|'[lL][lL])?"

PATTERN = (
    rf"[{_HAN_ESCAPED}]+"
    rf"|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}&&[^{_HAN_ESCAPED}]]+{_SUFFIX}"
    r"|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+"
)
"""The pre-tokenizer for tokenizers (Oniguruma) and tiktoken (Rust)."""


@cache
def split_pattern(max_han: int | None = None) -> re.Pattern[str]:
    r"""Return the pre-tokenizer for Python's `re`; `findall` gives a text's pieces, losslessly.

    Args:
        max_han: cut runs of Han characters after so many; the trainer does, so that no token grows
            longer, while encoding takes runs whole.

    >>> split_pattern().findall("我用Python写了3次 it's fine!\n")
    ['我用', 'Python', '写了', '3', '次', " it's", ' fine', '!\n']
    >>> split_pattern(2).findall("天安门")
    ['天安', '门']
    """
    run = "+" if max_han is None else f"{{1,{max_han}}}"
    # `\w` is letters, numbers and the underscore; `\d` only the decimal numbers among them.
    numerals = "".join(char for char in _word_characters() if not char.isalpha())
    letter = rf"[^\W\d_{numerals}{HAN}]"
    space = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
    return re.compile(
        rf"[{HAN}]{run}"
        # Three shortcuts that change nothing but the speed, which they double: English words, and
        # marks before Han or a space, told by small classes alone.
        rf"|[\x00-\t\x0b\x0c\x0e-/:-@\[-`{{-\x7f]?[A-Za-z]++(?![^\x00-\x7f]){_SUFFIX}"
        rf"|[{_CJK_MARKS}]++(?=[{HAN}])"
        r"|[!-/:-@]++(?= )"
        rf"|(?:(?![\r\n])[\W_])?{letter}+{_SUFFIX}"
        rf"|[\d{numerals}]{{1,3}}"
        rf"| ?(?:[^\w{space}]|_)+[\r\n]*"
        rf"|[{space}]*[\r\n]+"
        rf"|[{space}]+(?![^{space}])"
        rf"|[{space}]+"
    )


def _word_characters() -> list[str]:
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    return re.findall(r"[^\W\d_]", everything)


if __name__ == "__main__":
    print(PATTERN)
    print(
        split_pattern().findall(
            "翰林院在唐代设立（738年）。The Hanlin Academy\n  lasted till 1911."
        )
    )
