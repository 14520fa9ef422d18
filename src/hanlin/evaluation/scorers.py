"""One interface to every model that gives tokens a probability, so that each measure fits all.

A scorer is asked with documents of token ids, without <|endoftext|> before them; every document
is scored as if <|endoftext|> preceded it.

The scorers that need no network are here; that of a decoder is `hanlin.evaluation.decoder_scorer`.

    python -m hanlin.evaluation.scorers

Shapes: N rows, T time, V vocab.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hanlin.models.ngram import InterpolatedNgram

__all__ = ["Floats", "Ids", "MixtureScorer", "NgramScorer", "Scorer", "Tail", "UniformScorer"]

Ids = NDArray[np.integer]
Floats = NDArray[np.float64]


class Tail(NamedTuple):
    """What a model makes of the last tokens of a document."""

    logprobs: Floats
    """ln p of each, (T,)."""
    likeliest: NDArray[np.bool_]
    """Whether each is the token that the model finds the likeliest, (T,)."""


class Scorer(Protocol):
    """A model that gives each token of a document its probability."""

    @property
    def vocab_size(self) -> int:
        """Tokens over which each distribution sums to one."""

    def score(self, documents: Sequence[Ids]) -> list[Floats]:
        """Return for each document ln p of each of its tokens given those before it, (T,)."""

    def distributions(self, document: Ids, positions: Sequence[int]) -> Floats:
        """Return the distribution that predicted the token at each of `positions`, (N, V)."""


class UniformScorer:
    """The baseline that knows nothing: every token of the vocabulary is equally likely."""

    def __init__(self, vocab_size: int) -> None:
        """Spread the probability over `vocab_size` tokens."""
        self.vocab_size = vocab_size

    def score(self, documents: Sequence[Ids]) -> list[Floats]:
        """Return -ln V for every token."""
        return [np.full(len(document), -math.log(self.vocab_size)) for document in documents]

    def distributions(self, document: Ids, positions: Sequence[int]) -> Floats:
        """Return 1 / V everywhere, (N, V)."""
        return np.full((len(positions), self.vocab_size), 1 / self.vocab_size)


class NgramScorer:
    """An n-gram model as a scorer."""

    def __init__(self, model: InterpolatedNgram) -> None:
        """Score with `model`."""
        self.model = model
        self.vocab_size = model.vocab_size

    def score(self, documents: Sequence[Ids]) -> list[Floats]:
        """Return ln p of each token."""
        return self.model.score(documents)

    def distributions(self, document: Ids, positions: Sequence[int]) -> Floats:
        """Return the distributions at `positions`, (N, V)."""
        rows = [self.model.next_distribution(document[:position]) for position in positions]
        return np.stack(rows) if rows else np.empty((0, self.vocab_size))


class MixtureScorer:
    """Two scorers in one: p = weight * first + (1 - weight) * second."""

    def __init__(self, first: Scorer, second: Scorer, weight: float) -> None:
        """Mix two scorers over the same tokens; `fit_weight` finds a good weight."""
        self.first, self.second, self.weight = first, second, weight
        self.vocab_size = first.vocab_size

    @classmethod
    def fit_weight(
        cls, first: Scorer, second: Scorer, documents: Sequence[Ids], *, rounds: int = 50
    ) -> float:
        """Return the weight of `first` that makes held-out documents likeliest.

        Expectation maximisation: the new weight is the mean share that `first` had in each token.
        """
        gains = np.concatenate(second.score(documents)) - np.concatenate(first.score(documents))
        ratios = np.exp(np.clip(gains, -700, 700))
        weight = 0.5
        for _ in range(rounds):
            weight = float(np.mean(weight / (weight + (1 - weight) * ratios)))
        return weight

    def score(self, documents: Sequence[Ids]) -> list[Floats]:
        """Return ln of the mixed probabilities."""
        pairs = zip(self.first.score(documents), self.second.score(documents), strict=True)
        with np.errstate(divide="ignore"):
            shares = np.log([self.weight, 1 - self.weight])
        return [np.logaddexp(one + shares[0], two + shares[1]) for one, two in pairs]

    def distributions(self, document: Ids, positions: Sequence[int]) -> Floats:
        """Return the mixed distributions at `positions`, (N, V)."""
        first = self.first.distributions(document, positions)
        return self.weight * first + (1 - self.weight) * self.second.distributions(
            document, positions
        )


if __name__ == "__main__":
    print(UniformScorer(4).score([np.array([1, 2, 3])]))
