"""ROUGE: how much of a reference summary a summary holds, in characters (zh) or words (en).

    ROUGE-n = F1 of the n-grams, each counted at most as often as in the other text
    ROUGE-L = F1 of the longest common subsequence           (Lin 2004, W04-1013)

English gives what the package rouge-score does without its stemmer: words are runs of the letters a
to z and of digits, whatever their case. All Chinese would score zero that way, so it is counted in
characters.

    python -m hanlin.evaluation.rouge
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from hanlin.evaluation.heldout import short_language
from hanlin.evaluation.units import split_units

__all__ = ["count_ngrams", "rouge"]

_WORD = re.compile("[a-z0-9]+")


def rouge(text: str, reference: str, language: str) -> dict[str, float]:
    """Return `rouge_1`, `rouge_2` and `rouge_l` of a text, from 0 to 1.

    >>> rouge("小猫跑", "小狗跑", "zh")["rouge_1"] == 2 / 3
    True
    """
    ours, theirs = _split(text, language), _split(reference, language)
    return {
        "rouge_1": _rouge_n(ours, theirs, 1),
        "rouge_2": _rouge_n(ours, theirs, 2),
        "rouge_l": _f1(_common_subsequence(ours, theirs), len(ours), len(theirs)),
    }


def _split(text: str, language: str) -> list[str]:
    chinese = short_language(language) == "zh"
    return split_units(text, language) if chinese else _WORD.findall(text.lower())


def count_ngrams(units: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    """Count the n-grams of a size."""
    return Counter(tuple(units[i : i + size]) for i in range(len(units) - size + 1))


def _rouge_n(ours: Sequence[str], theirs: Sequence[str], size: int) -> float:
    found, wanted = count_ngrams(ours, size), count_ngrams(theirs, size)
    return _f1((found & wanted).total(), found.total(), wanted.total())


def _f1(common: int, ours: int, theirs: int) -> float:
    """Return the harmonic mean of common / ours and common / theirs."""
    return 2 * common / (ours + theirs) if common else 0.0


def _common_subsequence(ours: Sequence[str], theirs: Sequence[str]) -> int:
    """Return the length of the longest common subsequence."""
    best = [0] * (len(theirs) + 1)
    for unit in ours:
        diagonal = 0
        for place, other in enumerate(theirs, start=1):
            above = best[place]
            best[place] = diagonal + 1 if unit == other else max(above, best[place - 1])
            diagonal = above
    return best[-1]


if __name__ == "__main__":
    print(rouge("The cat sat on the mat.", "The cat lay on the mat.", "en"))
