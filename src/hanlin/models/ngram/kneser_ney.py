"""Interpolated modified Kneser-Ney smoothing (Chen & Goodman 1998, section 3).

    p(w | h) = max(a(h w) - D(a(h w)), 0) / a(h) + gamma(h) p(w | h')

a(h w) is the n-gram's count at the highest order. Below, it is the number of distinct tokens that
stand before it, because a shorter context is asked only where the longer one failed; n-grams that
open a document have nothing before them and keep their counts (Heafield et al. 2013). D takes
three values an order, for counts of one, two, and three or more:

    Y = n1 / (n1 + 2 n2),    D1 = 1 - 2 Y n2 / n1,    D2 = 2 - 3 Y n3 / n2,    D3 = 3 - 4 Y n4 / n3

with n1..n4 the n-grams that have a count of 1..4. gamma(h) gives back exactly what was taken.

    python -m hanlin.models.ngram.kneser_ney
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hanlin.models.ngram.counts import Level
from hanlin.models.ngram.interpolated import InterpolatedNgram, Table

__all__ = ["FALLBACK_DISCOUNTS", "KneserNey", "estimate_discounts"]

FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
"""What stands in where a level has too few n-grams to estimate its discounts from."""


class KneserNey(InterpolatedNgram):
    """The strongest plain n-gram model: interpolated, modified Kneser-Ney."""

    estimator: ClassVar[str] = "kneser-ney"

    @classmethod
    def _estimate(
        cls, levels: Iterator[Level], vocab_size: int
    ) -> tuple[list[Table], dict[str, Any]]:
        tables: list[Table] = []
        discounts: list[tuple[float, float, float]] = []
        num_contexts = 1
        level: Level | None = next(levels)
        while level is not None:
            above = next(levels, None)
            counts = _adjusted_counts(level, above)
            discounts.append(estimate_discounts(counts))
            tables.append(_discount(level, counts, discounts[-1], num_contexts, vocab_size))
            num_contexts = level.keys.size
            level = above
        return tables, {"discounts": discounts}


def estimate_discounts(counts: NDArray[np.int64]) -> tuple[float, float, float]:
    """Return D1, D2 and D3 from the counts of one level.

    A level where one of n1, n2, n3 is zero, or where a discount falls outside (0, count], as
    happens with tiny texts, takes `FALLBACK_DISCOUNTS`; the model's settings show which were used.
    """
    n1, n2, n3, n4 = (int(np.count_nonzero(counts == count)) for count in (1, 2, 3, 4))
    if not (n1 and n2 and n3):
        return FALLBACK_DISCOUNTS
    y = n1 / (n1 + 2 * n2)
    discounts = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    if all(0 < discount <= count for count, discount in enumerate(discounts, 1)):
        return discounts
    return FALLBACK_DISCOUNTS


def _adjusted_counts(level: Level, above: Level | None) -> NDArray[np.int64]:
    """Return the counts at the highest order, numbers of distinct left neighbours below, (N,)."""
    if above is None:
        return level.counts
    neighbours = np.bincount(above.suffixes, minlength=level.keys.size)
    return np.where(level.starts_document, level.counts, neighbours)


def _discount(
    level: Level,
    counts: NDArray[np.int64],
    discounts: tuple[float, float, float],
    num_contexts: int,
    vocab_size: int,
) -> Table:
    taken = np.array([0.0, *discounts])[np.minimum(counts, 3)]  # (N,)
    contexts = level.contexts(vocab_size)
    total = np.bincount(contexts, weights=counts, minlength=num_contexts)
    given_back = np.bincount(contexts, weights=taken, minlength=num_contexts)
    followed = total > 0
    back = np.divide(given_back, total, out=np.ones(num_contexts), where=followed)
    own = np.divide(
        counts - taken, total[contexts], out=np.zeros(counts.size), where=followed[contexts]
    )
    return Table(level.keys, own.astype(np.float32), back.astype(np.float32))


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    model = KneserNey.fit([rng.zipf(1.5, 2000) % 50], order=3, vocab_size=50)
    print(model.settings, model.next_distribution([1, 2]).sum())
