"""Words replaced by others of the same meaning, from a small table of our own.

The table holds what it holds, and knows nothing of context: 'fine' is a synonym of 'good' in it,
and a fine to pay becomes a good to pay. It says what a model makes of rare words, not more.

    python -m hanlin.attacks.synonyms
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Iterator

from hanlin.attacks.edits import Edit
from hanlin.attacks.tables import SYNONYMS_EN, SYNONYMS_ZH

__all__ = ["use_synonyms"]

_CHOICES = 3
_WORD = re.compile(r"[A-Za-z]+")


def use_synonyms(text: str, rng: random.Random) -> Iterator[Edit]:
    """Yield, for each word in the table, up to three others; a capital stays one."""
    for match in _WORD.finditer(text):
        word = match.group()
        for other in _some(SYNONYMS_EN.get(word.lower(), ()), rng):
            yield Edit(*match.span(), other.capitalize() if word[0].isupper() else other)
    for match in _pattern().finditer(text):
        for other in _some(SYNONYMS_ZH[match.group()], rng):
            yield Edit(*match.span(), other)


def _some(others: tuple[str, ...], rng: random.Random) -> list[str]:
    return rng.sample(others, min(_CHOICES, len(others)))


@functools.cache
def _pattern() -> re.Pattern[str]:
    """Return what finds the Chinese words of the table, the longer before the shorter."""
    return re.compile("|".join(sorted(SYNONYMS_ZH, key=len, reverse=True)))


if __name__ == "__main__":
    print(list(use_synonyms("Good food, 味道不错", random.Random(1))))
