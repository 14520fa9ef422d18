"""Counts with a hierarchical Dirichlet prior: the Bayesian n-gram model of MacKay & Peto (1995).

    p(w | h) = (c(h w) + alpha p(w | h')) / (c(h) + alpha)

The prior of each context is centred on the distribution of the shorter context, and alpha says how
many observations that prior is worth. One alpha an order is chosen by leave-one-out likelihood:
each training token is predicted from the counts of all the others, at every order at once, which
has the closed form below and needs no held-out text.

    python -m hanlin.models.ngram.dirichlet
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

from hanlin.models.ngram.counts import Level
from hanlin.models.ngram.interpolated import Floats, InterpolatedNgram, Table

__all__ = ["DirichletCounts"]

_LOG_ALPHA_RANGE = (math.log(1e-2), math.log(1e6))
_GOLDEN = (math.sqrt(5) - 1) / 2


class DirichletCounts(InterpolatedNgram):
    """Counts with a Dirichlet prior whose mean is the next shorter context's distribution."""

    estimator: ClassVar[str] = "dirichlet"

    @classmethod
    def _estimate(
        cls, levels: Iterator[Level], vocab_size: int
    ) -> tuple[list[Table], dict[str, Any]]:
        tables: list[Table] = []
        strengths: list[float] = []
        left_out = np.array([1 / vocab_size])  # p of each n-gram one level down, itself left out
        num_contexts = 1
        for level in levels:
            contexts = level.contexts(vocab_size)
            totals = np.bincount(contexts, level.counts, num_contexts).astype(np.float64)
            prior = left_out[level.suffixes]
            alpha = _choose_strength(level, totals[contexts], prior)
            left_out = _leave_one_out(level, totals[contexts], prior, alpha)
            own = level.counts / (totals[contexts] + alpha)
            back = alpha / (totals + alpha)
            tables.append(Table(level.keys, own.astype(np.float32), back.astype(np.float32)))
            strengths.append(alpha)
            num_contexts = level.keys.size
        return tables, {"strengths": strengths}


def _choose_strength(level: Level, totals: Floats, prior: Floats) -> float:
    seen = level.counts > 0
    if not seen.any():
        return 1.0

    def loss(log_alpha: float) -> float:
        probabilities = _leave_one_out(level, totals, prior, math.exp(log_alpha))
        return -float(level.counts[seen] @ np.log(probabilities[seen]))

    return math.exp(_minimise(loss, *_LOG_ALPHA_RANGE))


def _leave_one_out(level: Level, totals: Floats, prior: Floats, alpha: float) -> Floats:
    """Return p of each n-gram's last token with one of its occurrences taken out, (N,).

    `totals` is c(h) of each n-gram's context and `prior` its left-out p one level down; n-grams
    that never occur (unigrams of the vocabulary) have nothing to take out and are never asked.
    """
    return (np.maximum(level.counts - 1, 0) + alpha * prior) / (totals - 1 + alpha)


def _minimise(loss: Callable[[float], float], low: float, high: float) -> float:
    """Return the minimum of a function with one valley, by golden-section search."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    loss_left, loss_right = loss(left), loss(right)
    while high - low > 0.05:  # 5 % of alpha; the valley is flat
        if loss_left < loss_right:
            high, right, loss_right = right, left, loss_left
            left = high - _GOLDEN * (high - low)
            loss_left = loss(left)
        else:
            low, left, loss_left = left, right, loss_right
            right = low + _GOLDEN * (high - low)
            loss_right = loss(right)
    return (low + high) / 2


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    model = DirichletCounts.fit([rng.zipf(1.5, 2000) % 50], order=3, vocab_size=50)
    print(model.settings, model.next_distribution([1, 2]).sum())
