"""What a continuation is rewarded for, without labels: functions of a text and of human text.

    overlap      characters in common with the true continuation: chrF (Popovic 2015), n = 1 to 4,
                 recall counted twice
    repetition   minus the share of repeated 4-grams and the share of the longest run of one token
    fluency      log p a character under a Kneser-Ney model of the training text
    lexical      mean rarity of the tokens, - log of their frequency in the training text
    ending       1, less the share of broken characters, less a half for an end after no mark that
                 ends a sentence

Fluency and lexical are bands: too likely is as wrong as too unlikely, and too rare as too common.
So what counts is the distance from the mean of human continuations, measured in their deviation.
The model must never be judged by these: `hanlin.evaluation` counts other units, held out.

    python -m hanlin.objectives.rewards
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hanlin.evaluation.repetition import longest_run, sequence_repetition
from hanlin.models.ngram import InterpolatedNgram

__all__ = [
    "Continuation",
    "Critique",
    "Ending",
    "Fluency",
    "Lexical",
    "Overlap",
    "Repetition",
    "Reward",
    "character_f_score",
]

Floats = NDArray[np.float64]

_LONGEST = 4
_BETA = 2.0
_SENTENCE_ENDS = frozenset("。！？…”』」.!?\"'）)】")


@dataclass(frozen=True, slots=True)
class Continuation:
    """What was written after a prefix, and what people had written there."""

    prefix: tuple[int, ...]
    ids: tuple[int, ...]
    """Its tokens, without the end token."""
    ended: bool
    """Whether it came to its end token."""
    text: str
    prefix_text: str
    truth_text: str
    judgement: float = 0.0
    """What the critic, where there is one, thinks of it."""

    def beside_its_prefix(self) -> Continuation:
        """Return it with the text before it in the place of the truth."""
        return replace(self, truth_text=self.prefix_text)


class Reward(ABC):
    """One thing that is rewarded: a kind says its name, in recipes and metrics, and its measure."""

    name: str
    is_band: bool
    """Whether human text is the best, and more of the value no better than less."""
    least_spread: float
    """What the deviation of human text counts as at least."""

    @abstractmethod
    def values(self, continuations: Sequence[Continuation]) -> Floats:
        """Return the value of each continuation."""

    def human_values(self, truths: Sequence[Continuation]) -> Floats:
        """Return the values of human continuations, to which the model's are compared."""
        return self.values(truths)


@dataclass(frozen=True)
class Overlap(Reward):
    """Characters in common with the true continuation.

    A human continuation is compared with the text before it: chance, on the same subject.
    """

    name: str = "overlap"
    is_band: bool = False
    least_spread: float = 0.02

    def values(self, continuations: Sequence[Continuation]) -> Floats:
        """Return the F score of each."""
        return np.array([character_f_score(c.text, c.truth_text) for c in continuations])

    def human_values(self, truths: Sequence[Continuation]) -> Floats:
        """Return what a continuation shares with its own prefix."""
        return self.values([truth.beside_its_prefix() for truth in truths])


@dataclass(frozen=True)
class Repetition(Reward):
    """Minus what is repeated."""

    name: str = "repetition"
    is_band: bool = False
    least_spread: float = 0.05

    def values(self, continuations: Sequence[Continuation]) -> Floats:
        """Return minus seq-rep-4 and minus the share of the longest run beyond one token."""
        return np.array([self._value(c.ids) for c in continuations])

    def _value(self, ids: Sequence[int]) -> float:
        repeated = sequence_repetition(ids, 4)
        run = max(0, longest_run(ids) - 1) / max(1, len(ids))
        return -run - (0.0 if math.isnan(repeated) else repeated)


@dataclass(frozen=True)
class Fluency(Reward):
    """How likely another model finds it, which cannot be flattered by the one that learns."""

    scorer: InterpolatedNgram
    name: str = "fluency"
    is_band: bool = True
    least_spread: float = 0.1

    def values(self, continuations: Sequence[Continuation]) -> Floats:
        """Return log p a character, given the prefix; an empty text has that of one token."""
        scores = self.scorer.score([np.array([*c.prefix, *c.ids]) for c in continuations])
        uniform = -math.log(self.scorer.vocab_size)
        return np.array(
            [
                float(score[len(c.prefix) :].sum()) / max(1, len(c.text)) if c.ids else uniform
                for score, c in zip(scores, continuations, strict=True)
            ]
        )


@dataclass(frozen=True)
class Lexical(Reward):
    """How rare its words are: neither the commonplace nor the outlandish."""

    rarity: Floats
    """- log of each token's frequency, (V,)."""
    name: str = "lexical"
    is_band: bool = True
    least_spread: float = 0.1

    @classmethod
    def of(cls, counts: NDArray[np.int64]) -> Lexical:
        """Take the rarity from counts (V,), with one added to each."""
        return cls(-np.log((counts + 1) / (counts.sum() + len(counts))))

    def values(self, continuations: Sequence[Continuation]) -> Floats:
        """Return the mean rarity; an empty text has none."""
        return np.array(
            [float(self.rarity[list(c.ids)].mean()) if c.ids else 0.0 for c in continuations]
        )


@dataclass(frozen=True)
class Ending(Reward):
    """Whole characters, and ends where a sentence ends."""

    name: str = "ending"
    is_band: bool = False
    least_spread: float = 0.2

    def values(self, continuations: Sequence[Continuation]) -> Floats:
        """Return 1 for a text with nothing wrong."""
        return np.array([self._value(c) for c in continuations])

    def _value(self, continuation: Continuation) -> float:
        # A text that was cut off may end inside a character.
        text = continuation.text.rstrip()
        whole = text if continuation.ended else text.rstrip("\ufffd")
        broken = whole.count("\ufffd") / max(1, len(whole))
        abrupt = continuation.ended and text[-1:] not in _SENTENCE_ENDS
        return 1.0 - broken - 0.5 * abrupt


@dataclass(frozen=True)
class Critique(Reward):
    """What a learned critic of the hidden states thinks."""

    name: str = "critic"
    is_band: bool = False
    least_spread: float = 0.1

    def values(self, continuations: Sequence[Continuation]) -> Floats:
        """Return the judgements."""
        return np.array([c.judgement for c in continuations])


def character_f_score(text: str, truth: str) -> float:
    """Return chrF of a text against the truth, from 0 to 1; white space does not count.

    >>> round(character_f_score("小猫睡了", "小猫睡着了"), 3)
    0.429
    """
    one, other = "".join(text.split()), "".join(truth.split())
    scores = [
        _f_score(_grams(one, n), _grams(other, n))
        for n in range(1, _LONGEST + 1)
        if len(other) >= n
    ]
    return sum(scores) / len(scores) if scores else float(one == other)


def _f_score(found: Counter[str], wanted: Counter[str]) -> float:
    common = (found & wanted).total()
    if not common:
        return 0.0
    precision, recall = common / found.total(), common / wanted.total()
    return (1 + _BETA**2) * precision * recall / (_BETA**2 * precision + recall)


def _grams(text: str, size: int) -> Counter[str]:
    return Counter(text[start : start + size] for start in range(len(text) - size + 1))


if __name__ == "__main__":
    note = Continuation((5, 6), (7, 8, 7, 8), False, "小猫小猫", "从前", "小猫睡了")
    kinds: tuple[Reward, ...] = (Overlap(), Repetition(), Ending())
    for kind in kinds:
        print(kind.name, kind.values([note]))
