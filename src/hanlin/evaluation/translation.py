"""BLEU and chrF of translations, over a corpus, from 0 to 100.

    BLEU  = BP * exp(mean over n = 1..4 of ln p_n),  BP = exp(min(0, 1 - r / c))
            p_n clipped n-gram precision, c and r the lengths of output and references
            (Papineni et al. 2002); a p_n without a match is halved once more for each such n,
            as `exp` smoothing does (Chen and Cherry 2014); an n that no output is long enough
            for is left out
    chrF2 = 5 P R / (4 P + R), P and R the means over n = 1..6 of character n-gram precision and
            recall, white space left out (Popovic 2015)

Tokens of Chinese are characters, with runs of Latin letters and digits kept whole.

    python -m hanlin.evaluation.translation
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from hanlin.evaluation.heldout import short_language
from hanlin.evaluation.rouge import count_ngrams

__all__ = ["bleu", "chrf"]

_ZH = re.compile(r"[A-Za-z0-9]+|\S")
_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
_BLEU_ORDER, _CHRF_ORDER, _BETA = 4, 6, 2
_Pair = tuple[str, str]


def bleu(pairs: Iterable[_Pair], language: str) -> float:
    """Return the BLEU of (translation, reference) pairs in a language.

    >>> round(bleu([("小猫在公园里", "小猫在公园里")], "zh"), 6)
    100.0
    """
    pattern = _ZH if short_language(language) == "zh" else _WORD
    split = [(pattern.findall(text), pattern.findall(wanted)) for text, wanted in pairs]
    ours, theirs = (sum(len(pair[side]) for pair in split) for side in (0, 1))
    logs, halvings = [], 0
    for size in range(1, _BLEU_ORDER + 1):
        common, found, _ = _overlap(split, size)
        if not found:
            break
        halvings += not common
        logs.append(math.log(common / found if common else 0.5**halvings / found))
    if not logs or halvings == len(logs):
        return 0.0
    return 100 * math.exp(min(0.0, 1 - theirs / ours) + sum(logs) / len(logs))


def chrf(pairs: Iterable[_Pair]) -> float:
    """Return the chrF2 of (translation, reference) pairs.

    >>> round(chrf([("ab", "ab")]), 6)
    100.0
    """
    split = [tuple(list("".join(text.split())) for text in pair) for pair in pairs]
    precisions, recalls = [], []
    for size in range(1, _CHRF_ORDER + 1):
        common, found, wanted = _overlap(split, size)
        if found and wanted:
            precisions.append(common / found)
            recalls.append(common / wanted)
    if not precisions or not any(precisions):
        return 0.0
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    return 100 * (1 + _BETA**2) * precision * recall / (_BETA**2 * precision + recall)


def _overlap(split: Sequence[Sequence[list[str]]], size: int) -> tuple[int, int, int]:
    """Return the n-grams in common, those of the texts and those of the references."""
    counted = [[count_ngrams(units, size) for units in pair] for pair in split]
    return (
        sum((ours & theirs).total() for ours, theirs in counted),
        sum(ours.total() for ours, _ in counted),
        sum(theirs.total() for _, theirs in counted),
    )


if __name__ == "__main__":
    example = [("The cat sat on the mat.", "The cat lay on the mat.")]
    print(bleu(example, "en"), chrf(example))
