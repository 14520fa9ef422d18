"""Texts as arrays of hashed units: one Han or kana character, or one word of letters and digits.

Deduplication and the contamination check both compare runs of units, which are characters for
Chinese and words for English, in one text or in a mixture, without naming a language. Everything
is vectorised over code points: a word's hash is the polynomial of its code points modulo 2^64 (Karp
and Rabin 1987), mixed so that all bits count. The hashes are the same in every process.

    python -m hanlin.text.units
"""

from __future__ import annotations

import enum
import functools
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["Kind", "codepoints", "hash_each", "hash_ngrams", "hash_units", "kinds_of"]

Array = npt.NDArray[np.uint64]

_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that its powers never vanish modulo 2^64
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_SHIFT = np.uint64(31)
_SINGLE, _WORD = 1, 2
_NAMED_PLANES = 0x20000  # the planes above it hold Han characters and unassigned code points
_HAN_PLANES = (0x20000, 0x323B0)
_TOGETHER = 1 << 15  # characters that are hashed at once, so that their arrays stay in the cache
_MARKUP = "#*\\/<>{}|_~^@=+&%$`[]"


class Kind(enum.IntEnum):
    """What a character is, as far as cleaning needs to know."""

    SYMBOL = 0
    SPACE = 1
    LATIN = 2
    HAN = 3
    KANA = 4
    LETTER = 5
    DIGIT = 6
    PUNCTUATION = 7
    BROKEN = 8


def codepoints(text: str) -> npt.NDArray[np.uint32]:
    """Return a text's code points, shape (characters,)."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def kinds_of(codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint8]:
    """Return each code point's `Kind`, shape (characters,)."""
    return _kind_table()[codes]


def hash_units(text: str) -> Array:
    """Return the hashes of a text's units in order, shape (units,); case does not count.

    >>> hash_units("The cat, 猫儿").size, bool((hash_units("Cat!") == hash_units("cat")).all())
    (4, True)
    """
    return _hash_lower(text.lower())[0]


def hash_each(texts: Iterable[str]) -> Iterator[Array]:
    """Yield what `hash_units` returns for each of some texts; short ones are hashed many at once.

    >>> [units.size for units in hash_each(["The cat", "", "猫儿"])]
    [2, 0, 2]
    """
    group: list[str] = []
    held = 0
    for text in texts:
        group.append(text.lower())
        held += len(group[-1])
        if held >= _TOGETHER:
            yield from _hash_group(group)
            group, held = [], 0
    if group:
        yield from _hash_group(group)


def hash_ngrams(units: Array, size: int) -> Array:
    """Return the hashes of all runs of `size` units, shape (units - size + 1,).

    A shorter, not empty text has one run: all of it.
    """
    size = min(size, len(units))
    count = len(units) - size + 1
    if size == 0:
        return units[:0]
    if count == 1:  # one product, not a pass for every unit
        return _mix((units * _powers(size)).sum(keepdims=True))
    hashes = units[:count].copy()
    for offset in range(1, size):
        hashes *= _BASE
        hashes += units[offset : offset + count]
    return _mix(hashes)


def _hash_group(lower: Sequence[str]) -> list[Array]:
    ends = np.cumsum([len(text) + 1 for text in lower])  # no unit goes past a line end
    hashes, places = _hash_lower("\n".join(lower))
    return np.split(hashes, np.searchsorted(places, ends[:-1]))


def _hash_lower(text: str) -> tuple[Array, npt.NDArray[np.intp]]:
    """Return the hashes of the units of a text in lower case, and where each begins."""
    codes = codepoints(text)
    roles = _role_table()[codes]
    in_word = roles == _WORD
    begins = in_word.copy()
    begins[1:] &= ~in_word[:-1]
    hashes = codes.astype(np.uint64)
    hashes[begins] = _hash_words(codes[in_word], np.flatnonzero(begins[in_word]))
    places = np.flatnonzero(begins | (roles == _SINGLE))
    return _mix(hashes[places]), places


@functools.lru_cache(maxsize=512)
def _powers(size: int) -> Array:
    """Return the weights of a run's units, the last one's being 1, shape (size,)."""
    ones = np.append(np.full(size - 1, _BASE), np.uint64(1))
    return np.multiply.accumulate(ones[::-1])[::-1].copy()


def _hash_words(codes: npt.NDArray[np.uint32], starts: npt.NDArray[np.intp]) -> Array:
    """Hash words that lie end to end in `codes`, each beginning at one of `starts`."""
    if not len(starts):
        return np.empty(0, np.uint64)
    lengths = np.append(starts[1:], len(codes)) - starts
    offsets = np.arange(len(codes)) - np.repeat(starts, lengths)
    powers = np.cumprod(np.full(int(lengths.max()), _BASE))
    return np.add.reduceat(codes * powers[offsets], starts)


def _mix(hashes: Array) -> Array:
    """Spread every bit over all bits (a step of SplitMix64; Steele, Lea and Flood 2014)."""
    mixed = (hashes ^ (hashes >> _SHIFT)) * _MIX
    mixed ^= mixed >> _SHIFT
    return mixed


@functools.cache
def _role_table() -> npt.NDArray[np.uint8]:
    """Return whether a code point is a unit by itself, part of a word, or neither."""
    roles = np.zeros(len(Kind), np.uint8)
    roles[[Kind.HAN, Kind.KANA]] = _SINGLE
    roles[[Kind.LATIN, Kind.LETTER, Kind.DIGIT]] = _WORD
    return roles[_kind_table()]


@functools.cache
def _kind_table() -> npt.NDArray[np.uint8]:
    table = np.full(0x110000, Kind.SYMBOL, np.uint8)
    table[:_NAMED_PLANES] = [_kind(chr(code)) for code in range(_NAMED_PLANES)]
    table[slice(*_HAN_PLANES)] = Kind.HAN
    table.flags.writeable = False
    return table


def _kind(character: str) -> Kind:
    code = ord(character)
    category = unicodedata.category(character)
    if character.isspace():
        return Kind.SPACE
    if category in ("Cc", "Cn", "Co", "Cs") or character == "\ufffd":
        return Kind.BROKEN
    if 0x3400 <= code < 0xA000 or 0xF900 <= code < 0xFB00 or character in "〇々":
        return Kind.HAN
    if 0x3041 <= code < 0x3100 and category[0] == "L":
        return Kind.KANA
    if category[0] in "LM":
        return Kind.LATIN if code < 0x250 else Kind.LETTER
    if category[0] == "N":
        return Kind.DIGIT
    if category[0] == "P" and character not in _MARKUP:
        return Kind.PUNCTUATION
    return Kind.SYMBOL


if __name__ == "__main__":
    for line in ("红楼梦 by Cao Xueqin", "红楼梦，by cao  xueqin!"):
        print(hash_units(line)[:4])
