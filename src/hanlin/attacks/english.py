"""Attacks on words of Latin letters: typing, characters that look alike, case.

Words of fewer than four letters are left alone by typing, and the first and last letter of a word
stay, so that it can still be read.

    python -m hanlin.attacks.english
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from hanlin.attacks.edits import Edit

__all__ = ["change_case", "look_alike", "mistype"]

_WORD = re.compile(r"[A-Za-z]+")
_LEAST_LETTERS = 4
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")

_ALIKE = {
    "a": "@а", "b": "6", "c": "сϲ", "e": "3е", "g": "9", "h": "һ", "i": "1!і", "l": "1|",
    "o": "0о", "p": "р", "s": "$5ѕ", "t": "7", "x": "х", "y": "у", "z": "2",
    "A": "А4", "B": "8В", "C": "С", "E": "Е", "H": "Н", "I": "1l", "K": "К", "M": "М",
    "O": "0О", "P": "Р", "S": "5", "T": "Т", "X": "Х",
}  # fmt: skip
"""Digits and signs, and letters of the Cyrillic and Greek scripts."""


def mistype(text: str, rng: random.Random) -> Iterator[Edit]:
    """Yield, for each longer word, two letters swapped, one dropped, one doubled, one missed."""
    for match in _WORD.finditer(text):
        word = match.group()
        if len(word) < _LEAST_LETTERS:
            continue
        for wrong in _mistyped(word, rng):
            if wrong != word:
                yield Edit(*match.span(), wrong)


def look_alike(text: str, rng: random.Random) -> Iterator[Edit]:
    """Yield, for each word, up to two versions with one character that looks like the right one."""
    for match in _WORD.finditer(text):
        word = match.group()
        places = [n for n, letter in enumerate(word) if letter in _ALIKE]
        for place in rng.sample(places, min(2, len(places))):
            other = rng.choice(_ALIKE[word[place]])
            yield Edit(*match.span(), word[:place] + other + word[place + 1 :])


def change_case(text: str, rng: random.Random) -> Iterator[Edit]:
    """Yield each word in capitals, with its first letter's case turned, and in mixed case."""
    for match in _WORD.finditer(text):
        word = match.group()
        mixed = "".join(rng.choice((letter.lower(), letter.upper())) for letter in word)
        for other in dict.fromkeys((word.upper(), word[0].swapcase() + word[1:], mixed)):
            if other != word:
                yield Edit(*match.span(), other)


def _mistyped(word: str, rng: random.Random) -> Iterator[str]:
    place = rng.randrange(1, len(word) - 2)
    yield word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    place = rng.randrange(1, len(word) - 1)
    yield word[:place] + word[place + 1 :]
    place = rng.randrange(1, len(word) - 1)
    yield word[:place] + word[place] + word[place:]
    place = rng.randrange(1, len(word) - 1)
    near = _neighbours(word[place].lower())
    yield word[:place] + rng.choice(near) + word[place + 1 :]


def _neighbours(letter: str) -> str:
    """Return the keys to the left and right of a letter's.

    >>> _neighbours("g"), _neighbours("q")
    ('fh', 'w')
    """
    row = next(row for row in _ROWS if letter in row)
    place = row.index(letter)
    return row[max(0, place - 1) : place] + row[place + 1 : place + 2]


if __name__ == "__main__":
    from hanlin.attacks.edits import apply_edits

    line = "A wonderful film"
    for attack in (mistype, look_alike, change_case):
        print([apply_edits(line, [edit]) for edit in attack(line, random.Random(1))])
