"""How far a measured share or ratio may be off by chance.

python -m hanlin.evaluation.intervals
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Interval", "Share", "bootstrap_ratio", "wilson_interval"]

_Z95 = 1.959964


class Interval(NamedTuple):
    """The bounds of a 95 % interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Share:
    """A share of successes with its 95 % Wilson interval; a tie may count half."""

    successes: float
    total: int

    @property
    def value(self) -> float:
        """The share, NaN where nothing was counted."""
        return self.successes / self.total if self.total else math.nan

    @property
    def interval(self) -> Interval:
        """The 95 % interval, which takes the trials as independent."""
        return wilson_interval(self.successes, self.total)

    def as_dict(self) -> dict[str, Any]:
        """Return value (None where nothing was counted), bounds and counts."""
        value = self.value if self.total else None
        return {"value": value, **self.interval._asdict(), **asdict(self)}


def wilson_interval(successes: float, total: int, *, z: float = _Z95) -> Interval:
    """Return the Wilson (1927) score interval of a share; (0, 1) where nothing was counted.

    >>> [round(bound, 3) for bound in wilson_interval(50, 100)]
    [0.404, 0.596]
    """
    if total == 0:
        return Interval(0.0, 1.0)
    share = successes / total
    centre = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return Interval(max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale))


def bootstrap_ratio(
    numerators: Sequence[float] | NDArray[np.float64],
    denominators: Sequence[float] | NDArray[np.float64],
    rng: np.random.Generator,
    *,
    resamples: int = 1000,
) -> Interval:
    """Return the 95 % bootstrap interval of sum(numerators) / sum(denominators).

    The units that are drawn anew are the pairs, such as the documents of a test set.
    """
    above, below = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    ratios = np.empty(resamples)
    for resample in range(resamples):
        picked = rng.integers(above.size, size=above.size)
        ratios[resample] = above[picked].sum() / below[picked].sum()
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Interval(float(low), float(high))


if __name__ == "__main__":
    print(Share(540, 1000).as_dict())
