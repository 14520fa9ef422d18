"""Rules for prose that hold in Chinese and in English; each returns why a text fails, or nothing.

They follow Gopher's (Rae et al. 2021, table A1), with shares of characters in place of words where
Chinese has none. The bounds are wide: poems, laws and manuals pass; menus, tables, logs and noise
do not.

    python -m hanlin.text.quality
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hanlin.text.units import Kind, codepoints, hash_ngrams, kinds_of

__all__ = ["RULES", "Profile", "find_fault", "profile_text"]

Rule = Callable[["Profile"], str | None]

_FEW_LETTERS = 0.4
_MANY_SYMBOLS = 0.15
_MANY_DIGITS = 0.3
_SAME_CHARACTER = 0.4
_HEAD = 2_000  # characters that show whether one of them fills the text
_REPEATED_LINES = 0.3
_REPEATED_RUNS = 0.3
_RUN = 10  # units: words or Han characters
_WORD_LENGTHS = (2.5, 12.0)
_BROKEN = 0.002
_LOST = "锟斤拷"  # what a replacement character becomes when read as GBK
_CUT_LINES = 0.3


@dataclass(frozen=True, slots=True)
class Profile:
    """What the rules look at, counted once."""

    text: str
    language: str
    lines: list[str]
    counts: npt.NDArray[np.int64]
    """Characters of each `Kind`."""
    units: npt.NDArray[np.uint64]
    """Hashes of the units (hanlin.text.units)."""

    @property
    def visible(self) -> int:
        """Characters that are not spaces."""
        return max(1, len(self.text) - int(self.counts[Kind.SPACE]))

    @property
    def letters(self) -> int:
        """Letters of all scripts."""
        return sum(int(self.counts[kind]) for kind in _LETTERS)


_LETTERS = (Kind.HAN, Kind.KANA, Kind.LATIN, Kind.LETTER)


def profile_text(text: str, language: str, units: npt.NDArray[np.uint64]) -> Profile:
    """Return what the rules look at; `units` are the text's unit hashes."""
    counts = np.bincount(kinds_of(codepoints(text)), minlength=len(Kind))
    return Profile(text, language, [line for line in text.split("\n") if line], counts, units)


def find_fault(profile: Profile) -> str | None:
    """Return the reason of the first rule that a text fails, or None.

    >>> from hanlin.text.units import hash_units
    >>> noise = "=-=-= 12:30 | 12:31 | 12:32 =-=-="
    >>> find_fault(profile_text(noise, "en", hash_units(noise)))
    'few letters'
    """
    return next((reason for rule in RULES if (reason := rule(profile))), None)


def broken_characters(profile: Profile) -> str | None:
    """Find text that lost characters for good in some earlier decoding."""
    broken = int(profile.counts[Kind.BROKEN]) - profile.text.count("\n") - profile.text.count("\t")
    lost = max(0, broken) + len(_LOST) * profile.text.count(_LOST)
    return "broken characters" if lost > _BROKEN * profile.visible else None


def few_letters(profile: Profile) -> str | None:
    """Find text that is mostly numbers, marks and symbols."""
    return "few letters" if profile.letters < _FEW_LETTERS * profile.visible else None


def many_symbols(profile: Profile) -> str | None:
    """Find code and markup."""
    many = profile.counts[Kind.SYMBOL] > _MANY_SYMBOLS * profile.visible
    return "many symbols" if many else None


def many_digits(profile: Profile) -> str | None:
    """Find tables of numbers."""
    return "many digits" if profile.counts[Kind.DIGIT] > _MANY_DIGITS * profile.visible else None


def same_character(profile: Profile) -> str | None:
    """Find text in which one character stands for most."""
    characters = Counter("".join(profile.text[:_HEAD].split()))
    if characters.total() < 2 * _RUN:
        return None
    commonest = max(characters.values())
    return "one character repeated" if commonest > _SAME_CHARACTER * characters.total() else None


def repeated_lines(profile: Profile) -> str | None:
    """Find text of which many lines recur: menus, logs, forms."""
    if len(profile.lines) < _RUN:
        return None
    counts = Counter(profile.lines)
    repeated = sum(len(line) * (count - 1) for line, count in counts.items())
    return "repeated lines" if repeated > _REPEATED_LINES * len(profile.text) else None


def repeated_runs(profile: Profile) -> str | None:
    """Find text of which many runs of ten words or characters recur."""
    runs = hash_ngrams(profile.units, _RUN)
    if len(runs) < 5 * _RUN:
        return None
    repeated = len(runs) - len(np.unique(runs))
    return "repeated passages" if repeated > _REPEATED_RUNS * len(runs) else None


def odd_words(profile: Profile) -> str | None:
    """Find English whose words are too short or too long on average to be words."""
    words = profile.text.split()
    if profile.language != "en" or len(words) < 2 * _RUN:
        return None
    mean = profile.letters / len(words)
    return None if _WORD_LENGTHS[0] <= mean <= _WORD_LENGTHS[1] else "odd word lengths"


def cut_lines(profile: Profile) -> str | None:
    """Find lists of teasers: lines that end in an ellipsis."""
    if len(profile.lines) < _RUN:
        return None
    cut = sum(line.endswith(("...", "…")) for line in profile.lines)
    return "lines cut short" if cut > _CUT_LINES * len(profile.lines) else None


RULES: tuple[Rule, ...] = (
    broken_characters,
    few_letters,
    many_symbols,
    many_digits,
    same_character,
    repeated_lines,
    repeated_runs,
    odd_words,
    cut_lines,
)
"""The rules in the order in which they are asked."""


if __name__ == "__main__":
    from hanlin.text.units import hash_units

    for sample in ("山重水复疑无路，柳暗花明又一村。", "0 0 1 1 2 3 5 8", "哈" * 40):
        print(find_fault(profile_text(sample, "zh-Hans", hash_units(sample))), sample)
