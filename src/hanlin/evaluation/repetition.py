"""Repetition within texts, and diversity across them.

    seq-rep-n    1 - distinct n-grams / n-grams, within one text, averaged (Welleck et al. 2020)
    diversity    product of (1 - seq-rep-n) over n = 2, 3, 4 (Su et al. 2022)
    distinct-n   distinct n-grams / n-grams over all texts together (Li et al. 2016)
    shared 4     share of a text's 4-grams that another of the texts has too: what self-BLEU asks
                 for, without its parameters
    longest run  the longest stretch of one unit repeated without a break
    Zipf slope   of log frequency on log rank, ranks 10 to 5000; human text lies near -1

Units are characters for Chinese, words and punctuation otherwise. distinct-n, shared 4 and the
Zipf slope depend on how much text there is: compare groups of equally many texts, cut to the same
`max_units`, and show human text beside.

    python -m hanlin.evaluation.repetition
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, groupby
from typing import Any

import numpy as np

from hanlin.evaluation.units import split_units

__all__ = [
    "Repetition",
    "distinct",
    "longest_run",
    "measure_repetition",
    "sequence_repetition",
    "shared_ngrams",
    "zipf_slope",
]

Units = Sequence[Hashable]


@dataclass(frozen=True, slots=True)
class Repetition:
    """The measures of one group of texts; NaN where the texts are too short for one."""

    texts: int
    units: int
    seq_rep_1: float
    seq_rep_2: float
    seq_rep_3: float
    seq_rep_4: float
    diversity: float
    distinct_1: float
    distinct_2: float
    distinct_3: float
    shared_4: float
    longest_run_mean: float
    longest_run_max: int
    zipf_slope: float

    def as_dict(self) -> dict[str, Any]:
        """Return all measures by name; None, which JSON has, stands for NaN."""
        return {name: None if math.isnan(value) else value for name, value in asdict(self).items()}


def measure_repetition(
    texts: Iterable[str], language: str, *, max_units: int | None = None
) -> Repetition:
    """Return the repetition of `texts`, each cut to its first `max_units` units."""
    samples = [split_units(text, language)[:max_units] for text in texts]
    repeated = {n: _mean(sequence_repetition(units, n) for units in samples) for n in range(1, 5)}
    runs = [longest_run(units) for units in samples]
    return Repetition(
        texts=len(samples),
        units=sum(map(len, samples)),
        seq_rep_1=repeated[1],
        seq_rep_2=repeated[2],
        seq_rep_3=repeated[3],
        seq_rep_4=repeated[4],
        diversity=math.prod(1 - repeated[n] for n in (2, 3, 4)),
        distinct_1=distinct(samples, 1),
        distinct_2=distinct(samples, 2),
        distinct_3=distinct(samples, 3),
        shared_4=shared_ngrams(samples, 4),
        longest_run_mean=_mean(map(float, runs)),
        longest_run_max=max(runs, default=0),
        zipf_slope=zipf_slope(chain.from_iterable(samples)),
    )


def sequence_repetition(units: Units, n: int) -> float:
    """Return seq-rep-n of one text, NaN where it has no n-gram.

    >>> sequence_repetition("abab", 2)
    0.33333333333333337
    """
    grams = _ngrams(units, n)
    return 1 - len(set(grams)) / len(grams) if grams else math.nan


def distinct(samples: Sequence[Units], n: int) -> float:
    """Return distinct n-grams over n-grams of all texts together, NaN where there is none."""
    grams = [gram for units in samples for gram in _ngrams(units, n)]
    return len(set(grams)) / len(grams) if grams else math.nan


def shared_ngrams(samples: Sequence[Units], n: int) -> float:
    """Return the share of each text's distinct n-grams that another text has, averaged."""
    grams = [set(_ngrams(units, n)) for units in samples]
    holders = Counter(chain.from_iterable(grams))
    return _mean(
        sum(holders[gram] > 1 for gram in own) / len(own) if own else math.nan for own in grams
    )


def longest_run(units: Units) -> int:
    """Return the length of the longest stretch of one unit, 0 for an empty text.

    >>> longest_run("abbbc")
    3
    """
    return max((sum(1 for _ in run) for _, run in groupby(units)), default=0)


def zipf_slope(units: Iterable[Hashable], *, first: int = 10, last: int = 5000) -> float:
    """Return the least-squares slope of log frequency on log rank; NaN below three ranks."""
    frequencies = sorted(Counter(units).values(), reverse=True)[first - 1 : last]
    if len(frequencies) < 3:
        return math.nan
    ranks = np.log(np.arange(first, first + len(frequencies)))
    return float(np.polyfit(ranks, np.log(frequencies), 1)[0])


def _ngrams(units: Units, n: int) -> list[tuple[Hashable, ...]]:
    return [tuple(units[start : start + n]) for start in range(len(units) - n + 1)]


def _mean(values: Iterable[float]) -> float:
    """Return the mean of the values that are numbers, NaN where none is."""
    numbers = [value for value in values if not math.isnan(value)]
    return math.fsum(numbers) / len(numbers) if numbers else math.nan


if __name__ == "__main__":
    print(measure_repetition(["很久很久以前，有一只猫。", "有一只猫，有一只狗。"], "zh"))
