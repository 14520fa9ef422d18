"""Attacks on Chinese characters: sound, shape, components, script, pinyin, inserted marks.

Families of this kind are what writers use to slip past filters (Li et al. 2021, TextShield; Su et
al. 2022, RoCBert). Sound and pinyin come from pypinyin, the traditional script from OpenCC, shapes
and components from the small tables of `hanlin.attacks.tables`.

    python -m hanlin.attacks.chinese
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hanlin.attacks.edits import HAN, Edit
from hanlin.attacks.tables import COMPONENTS, SHAPES
from hanlin.errors import require

__all__ = [
    "insert_marks",
    "load_pinyin",
    "same_shape",
    "same_sound",
    "split_components",
    "to_pinyin",
    "to_traditional",
]

_CHARACTER = re.compile(f"[{HAN}]")
_MARKS = " ·*、.-|"
_COMMON_ROWS = range(0xB0, 0xD8)
"""The rows of GB 2312 that hold its 3,755 common characters, ordered by sound."""
_CHOICES = 3


def same_sound(text: str, rng: random.Random) -> Iterator[Edit]:
    """Yield, for each character, up to three common ones of the same syllable.

    Those of the same tone go first.
    """
    syllables = _syllables()
    for place, character in _characters(text):
        toned, plain = _reading(character)
        near = [c for c in syllables.get(toned, "") if c != character]
        far = [c for c in syllables.get(plain, "") if c != character and c not in near]
        found = rng.sample(near, min(_CHOICES, len(near)))
        found += rng.sample(far, min(_CHOICES - len(found), len(far)))
        for other in found:
            yield Edit(place, place + 1, other)


def to_pinyin(text: str, rng: random.Random) -> Iterator[Edit]:
    """Yield each character as its syllable in Latin letters, without the tone."""
    del rng
    for place, character in _characters(text):
        _, plain = _reading(character)
        if plain != character:
            yield Edit(place, place + 1, plain)


def same_shape(text: str, rng: random.Random) -> Iterator[Edit]:
    """Yield, for each character in the table, up to three that look like it."""
    for place, character in _characters(text):
        alike = SHAPES.get(character, "")
        for other in rng.sample(alike, min(_CHOICES, len(alike))):
            yield Edit(place, place + 1, other)


def split_components(text: str, rng: random.Random) -> Iterator[Edit]:
    """Yield each character in the table as the two that it is written with."""
    del rng
    for place, character in _characters(text):
        if character in COMPONENTS:
            yield Edit(place, place + 1, COMPONENTS[character])


def to_traditional(text: str, rng: random.Random) -> Iterator[Edit]:
    """Yield each simplified character as its traditional form, by the words around it."""
    del rng
    converted = _converter().convert(text)
    if len(converted) != len(text):  # a phrase has changed its length: each character by itself
        converted = "".join(_converter().convert(character)[:1] for character in text)
    for place, character in _characters(text):
        if converted[place] != character:
            yield Edit(place, place + 1, converted[place])


def insert_marks(text: str, rng: random.Random) -> Iterator[Edit]:
    """Yield up to two marks behind each character that another one follows."""
    for place, character in _characters(text):
        if _CHARACTER.match(text, place + 1):
            for mark in rng.sample(_MARKS, 2):
                yield Edit(place, place + 1, character + mark)


def _characters(text: str) -> Iterator[tuple[int, str]]:
    for match in _CHARACTER.finditer(text):
        yield match.start(), match.group()


@functools.cache
def _reading(character: str) -> tuple[str, str]:
    """Return a character's commonest syllable with its tone (`hao3`) and without (`hao`)."""
    pinyin = load_pinyin()
    (toned,) = pinyin.lazy_pinyin(character, style=pinyin.Style.TONE3)
    (plain,) = pinyin.lazy_pinyin(character)
    return toned, plain


@functools.cache
def _syllables() -> Mapping[str, str]:
    """Return the common characters of each syllable, with and without its tone."""
    found: dict[str, str] = {}
    for row in _COMMON_ROWS:
        for column in range(0xA1, 0xFF):
            character = bytes((row, column)).decode("gb2312", "ignore")
            for key in dict.fromkeys(_reading(character)) if character else ():
                found[key] = found.get(key, "") + character
    return found


def load_pinyin() -> Any:
    """Return the module pypinyin.

    Raises:
        MissingExtraError: it is not installed.
    """
    return require("pypinyin", extra="attack", purpose="Attacking by sound and by pinyin")


@functools.cache
def _converter() -> Any:
    import opencc

    return opencc.OpenCC("s2t")


if __name__ == "__main__":
    from hanlin.attacks.edits import apply_edits

    line = "味道很好，送餐也快"
    families = (same_sound, to_pinyin, same_shape, split_components, to_traditional, insert_marks)
    for family in families:
        edits = list(family(line, random.Random(1)))
        print(family.__name__, [apply_edits(line, [edit]) for edit in edits[:4]])
