"""How far texts that a model wrote lie from human ones, after the same prompts.

    distance = |l - l*| / s* + |r - r*| + |d - d*|        (* human text; the mean over languages)

    l   ln p a character by an independent scorer, given the prompt: too low is nonsense, too high
        is platitude (Holtzman et al. 2020, arXiv 1904.09751, on why likelier is not better)
    s*  standard deviation of l over the human texts: the human band, in which l should lie
    r   seq-rep-4, repetition within a text
    d   distinct-2, variety over the texts

The scorer must not be the model itself, which finds its own likeliest words best. Compare equally
many texts of the same greatest length; d depends on both.

    python -m hanlin.evaluation.closeness
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hanlin.evaluation.repetition import measure_repetition
from hanlin.evaluation.scorers import Scorer

__all__ = ["Continuation", "Likeness", "distance_to_human", "measure_likeness"]


@dataclass(frozen=True, slots=True)
class Continuation:
    """A text after a prompt."""

    prompt: Sequence[int]
    """The prompt's tokens, without <|endoftext|>."""
    ids: Sequence[int]
    """The tokens that follow."""
    text: str
    """What these say."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """What texts in one language are compared by; NaN where they are too short."""

    log_probability: float
    """ln p a character by the scorer."""
    band: float
    """Its standard deviation over the texts."""
    seq_rep_4: float
    distinct_2: float

    def as_dict(self) -> dict[str, Any]:
        """Return the measures by name; None stands for NaN."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: None if math.isnan(value) else value for name, value in values.items()}


def measure_likeness(
    continuations: Sequence[Continuation], language: str, scorer: Scorer
) -> Likeness:
    """Measure texts in one language; those that are empty say nothing."""
    written = [c for c in continuations if c.text and len(c.ids)]
    documents: list[NDArray[np.integer]] = [np.array([*c.prompt, *c.ids]) for c in written]
    scores = [
        float(score[len(c.prompt) :].sum())
        for c, score in zip(written, scorer.score(documents), strict=True)
    ]
    sizes = [len(c.text) for c in written]
    each = [score / size for score, size in zip(scores, sizes, strict=True)]
    repetition = measure_repetition([c.text for c in written], language)
    return Likeness(
        log_probability=sum(scores) / sum(sizes) if sizes else math.nan,
        band=statistics.stdev(each) if len(each) > 1 else math.nan,
        seq_rep_4=repetition.seq_rep_4,
        distinct_2=repetition.distinct_2,
    )


def distance_to_human(texts: Mapping[str, Likeness], human: Mapping[str, Likeness]) -> float:
    """Return the distance over the languages of `human`; infinite where texts say nothing.

    >>> one = Likeness(-2.0, 0.5, 0.0, 0.9)
    >>> distance_to_human({"en": Likeness(-1.5, 0.1, 0.25, 0.65)}, {"en": one})
    1.5
    """
    found = [_distance(texts[language], wanted) for language, wanted in human.items()]
    return statistics.fmean(found)


def _distance(found: Likeness, human: Likeness) -> float:
    likelihood = _gap(found.log_probability, human.log_probability) / max(human.band, 1e-6)
    repetition = _gap(found.seq_rep_4, human.seq_rep_4)
    return likelihood + repetition + _gap(found.distinct_2, human.distinct_2)


def _gap(value: float, wanted: float) -> float:
    """Return how far a value lies off; what human text has no measure of does not count."""
    if math.isnan(wanted):
        return 0.0
    return math.inf if math.isnan(value) else abs(value - wanted)


if __name__ == "__main__":
    from hanlin.evaluation.scorers import UniformScorer

    letters = [Continuation([104], list(word.encode()), word) for word in ("ello there", "ey you")]
    print(measure_likeness(letters, "en", UniformScorer(256)))
