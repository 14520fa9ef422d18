"""BLEU and chrF of translations, over a corpus, from 0 to 100.

    BLEU  = BP * exp(mean over n = 1..4 of ln p_n),  BP = exp(min(0, 1 - r / c))
            p_n clipped n-gram precision, c and r the lengths of output and references
            (Papineni et al. 2002); a p_n without a match is halved once more for each such n,
            as `exp` smoothing does (Chen and Cherry 2014); an n that no output is long enough
            for is left out
    chrF2 = 5 P R / (4 P + R), P and R the means over n = 1..6 of character n-gram precision and
            recall, white space left out (Popovic 2015); an n that a reference is too short for
            does not count against its output

Both are what sacrebleu gives (Post 2018) with its tokenizers `13a` for English and `zh` for Chinese
and with its effective order: marks stand apart from words, each character of Chinese by itself.

    python -m hanlin.evaluation.translation
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from hanlin.evaluation.heldout import short_language
from hanlin.evaluation.rouge import count_ngrams

__all__ = ["bleu", "chrf"]

# ASCII marks but for ' , - and the full stop; then those between digits, as the standard has them.
_MARK = re.compile(r"([ -&(-+/:-@\[-`{-~])")
_BETWEEN = (
    (re.compile(r"([^0-9])([.,])"), r"\1 \2 "),
    (re.compile(r"([.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)
_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))
# What counts as a Chinese character there: symbols and quotation marks from U+2001 on among them.
_CHINESE = re.compile(
    "([\u2001-\u2a6d\u2e80-\u2fdf\u2ff0-\u303f\u3100-\u312f\u31a0-\u31ef\u3200-\u4db5\u4e00-\u9fbb"
    "\uf900-\ufa2d\ufa30-\ufa6a\ufa70-\ufad9\ufe10-\ufe1f\ufe30-\ufe4f\uff00-\uffef])"
)
_BLEU_ORDER, _CHRF_ORDER, _BETA = 4, 6, 2
_Pair = tuple[str, str]


def bleu(pairs: Iterable[_Pair], language: str) -> float:
    """Return the BLEU of (translation, reference) pairs in a language.

    >>> round(bleu([("小猫在公园里", "小猫在公园里")], "zh"), 6)
    100.0
    """
    cut = _split_chinese if short_language(language) == "zh" else _split_words
    split = [(cut(text), cut(wanted)) for text, wanted in pairs]
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
        long_enough = [pair for pair in split if len(pair[1]) >= size]
        common, found, wanted = _overlap(long_enough, size)
        if found and wanted:
            precisions.append(common / found)
            recalls.append(common / wanted)
    if not precisions or not any(precisions):
        return 0.0
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    return 100 * (1 + _BETA**2) * precision * recall / (_BETA**2 * precision + recall)


def _split_words(text: str) -> list[str]:
    text = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, mark in _ENTITIES:
        text = text.replace(entity, mark)
    return _split_marks(f" {text} ")


def _split_chinese(text: str) -> list[str]:
    return _split_marks(_CHINESE.sub(r" \1 ", text.strip()))


def _split_marks(text: str) -> list[str]:
    text = _MARK.sub(r" \1 ", text)
    for pattern, apart in _BETWEEN:
        text = pattern.sub(apart, text)
    return text.split()


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
