"""Separation: can a scorer of another kind tell a model's texts from human ones?

A logistic regression over hashed n-grams (1 to 4 characters for Chinese, 1 to 3 words otherwise) is
trained on one half of the texts and asked about the other. Accuracy and area under the curve (AUC:
the chance that a random human text scores above a random model text) of 0.5 mean that it cannot
tell them apart. All texts are cut to the same number of units, and both kinds are equally many, so
that neither length nor the share of a kind gives anything away. The halves are not swapped for a
second round: both rounds rest on the same difference between the halves, so their errors go
together and an interval over both would be too narrow.

    python -m hanlin.evaluation.separation

Shapes: N texts, M texts that are trained on, D hashed features.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hanlin.errors import DataError
from hanlin.evaluation.heldout import short_language
from hanlin.evaluation.intervals import Interval, Share
from hanlin.evaluation.units import split_units

__all__ = ["Separation", "area_under_curve", "measure_separation"]

Floats = NDArray[np.float64]

_NUM_FEATURES = 2**14
_FEWEST_TEXTS = 8  # of each kind: below, the halves hold next to nothing
_ROUNDS = 300
_PENALTY = 1e-3


@dataclass(frozen=True, slots=True)
class Separation:
    """How well a separate scorer tells model text from human text."""

    texts_of_each: int
    left_out: int
    """Texts that were too short, or more than the other kind has."""
    units: int
    """Units that each text was cut to."""
    accuracy: Share
    auc: float
    auc_interval: Interval

    def as_dict(self) -> dict[str, Any]:
        """Return accuracy and AUC with their 95 % intervals, and the sizes."""
        return {
            "accuracy": self.accuracy.as_dict(),
            "auc": {"value": self.auc, **self.auc_interval._asdict()},
            "texts_of_each": self.texts_of_each,
            "left_out": self.left_out,
            "units": self.units,
        }


def measure_separation(
    model_texts: Sequence[str],
    human_texts: Sequence[str],
    language: str,
    rng: np.random.Generator,
    *,
    units: int = 100,
) -> Separation:
    """Train and test the scorer; raise `DataError` below eight texts a kind of `units` units."""
    kinds = [_cut(texts, language, units) for texts in (model_texts, human_texts)]
    num = min(map(len, kinds))
    if num < _FEWEST_TEXTS:
        raise DataError(
            f"Telling model text from human text needs {_FEWEST_TEXTS} texts of each kind with at "
            f"least {units} units; there are {len(kinds[0])} and {len(kinds[1])}. "
            "Give more or longer texts, or fewer units."
        )
    picked = [[kind[i] for i in rng.permutation(len(kind))[:num]] for kind in kinds]
    longest = 4 if short_language(language) == "zh" else 3
    features = _hash_features([*picked[0], *picked[1]], longest)  # (2 num, D)
    is_human = np.repeat([False, True], num)
    is_test = np.tile(np.arange(num) % 2 == 1, 2)  # the texts are in random order already
    margins = _judge(features[~is_test], is_human[~is_test], features[is_test])
    truth = is_human[is_test]
    return Separation(
        texts_of_each=num,
        left_out=len(model_texts) + len(human_texts) - 2 * num,
        units=units,
        accuracy=Share(int(((margins > 0) == truth).sum()), truth.size),
        auc=area_under_curve(margins, truth),
        auc_interval=_bootstrap_auc(margins, truth, rng),
    )


def area_under_curve(margins: Floats, is_positive: NDArray[np.bool_]) -> float:
    """Return the chance that a positive's margin is above a negative's; a tie counts half.

    >>> area_under_curve(np.array([1.0, 2.0, 3.0]), np.array([False, True, True]))
    1.0
    """
    negatives = np.sort(margins[~is_positive])
    below = np.searchsorted(negatives, margins[is_positive], side="left")
    up_to = np.searchsorted(negatives, margins[is_positive], side="right")
    return float((below + up_to).mean() / (2 * negatives.size))


def _bootstrap_auc(margins: Floats, truth: NDArray[np.bool_], rng: np.random.Generator) -> Interval:
    human, model = margins[truth], margins[~truth]
    labels = np.repeat([True, False], [human.size, model.size])
    values = [
        area_under_curve(
            np.concatenate([rng.choice(human, human.size), rng.choice(model, model.size)]), labels
        )
        for _ in range(1000)
    ]
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(low), float(high))


def _cut(texts: Sequence[str], language: str, units: int) -> list[list[str]]:
    cut = (split_units(text, language)[:units] for text in texts)
    return [text for text in cut if len(text) == units]


def _hash_features(texts: Sequence[Sequence[str]], longest: int) -> Floats:
    """Return log counts of hashed n-grams, each row of length one: (N, D)."""
    features = np.zeros((len(texts), _NUM_FEATURES))
    for row, units in zip(features, texts, strict=True):
        for feature, count in Counter(_features(units, longest)).items():
            row[feature] += np.log1p(count)
        row /= np.linalg.norm(row)
    return features


def _features(units: Sequence[str], longest: int) -> Iterator[int]:
    for n in range(1, longest + 1):
        for start in range(len(units) - n + 1):
            gram = "\0".join(units[start : start + n])
            yield zlib.crc32(gram.encode("utf-8", "surrogatepass")) % _NUM_FEATURES


def _judge(rows: Floats, is_human: NDArray[np.bool_], asked: Floats) -> Floats:
    """Train an L2-penalised logistic regression on `rows`; return the margins of `asked`.

    There are far fewer texts than features, so the weights are kept as a combination of the rows,
    and each step costs M x M. Accelerated gradient descent (Nesterov 1983); rows have length one
    and the bias adds another one, so the loss curves by at most 2 / 4 + penalty, which gives the
    step without a search.
    """
    inner = rows @ rows.T + 1  # (M, M); the 1 is the bias, a feature that every text has
    step = 1 / (0.5 + _PENALTY)
    shares = ahead = np.zeros(len(rows))  # weights = shares @ rows
    for turn in range(_ROUNDS):
        chances = 1 / (1 + np.exp(-inner @ ahead))
        slope = (chances - is_human) / len(rows) + _PENALTY * ahead
        previous, shares = shares, ahead - step * slope
        ahead = shares + turn / (turn + 3) * (shares - previous)
    margins: Floats = (asked @ rows.T + 1) @ shares
    return margins


if __name__ == "__main__":
    generator = np.random.default_rng(0)
    one, two = (
        ["".join(generator.choice(list(letters), 60)) for _ in range(40)]
        for letters in ("的一是了我", "的一是了他")
    )
    print(measure_separation(one, two, "zh", generator, units=50).as_dict())
