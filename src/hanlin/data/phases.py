"""An order in two phases: some sources are read until a step, and left out from there on.

Both phases are pure functions of (seed, step). The second goes on, source by source, where the
first stopped reading, so that no row is read twice before every row was read once.

    python -m hanlin.data.phases
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanlin.data.order import Order
from hanlin.data.packing import Rows

__all__ = ["PhasedOrder", "divide_shares"]


@dataclass(frozen=True)
class PhasedOrder:
    """One order until a step, another from it on."""

    first: Order
    then: Order
    until: int
    """The first step of the second phase."""

    @classmethod
    def of(
        cls,
        lasting: Mapping[str, Rows],
        passing: Mapping[str, Rows],
        *,
        shares: Mapping[str, float],
        later_shares: Mapping[str, float],
        until: int,
        rows_per_step: int,
        seed: int,
    ) -> PhasedOrder:
        """Mix all sources by `shares`, and from step `until` on the lasting ones by others."""
        first = Order.mixed(
            {**lasting, **passing}, shares=shares, rows_per_step=rows_per_step, seed=seed
        )
        read = first.mixture.before(until * rows_per_step)
        then = Order.mixed(
            lasting,
            shares=later_shares,
            rows_per_step=rows_per_step,
            seed=seed,
            starts=read[: len(lasting)],
        )
        return cls(first, then, until)

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> NDArray[np.int32]:
        """Return the rows (R, T + 1) of one process at a step; all processes' make the batch."""
        if step < self.until:
            return self.first.batch(step, rank, world_size)
        return self.then.batch(step - self.until, rank, world_size)


def divide_shares(
    natural: Mapping[str, float], fixed: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """Return every source's share of the rows: groups of fixed share first, the rest by nature.

    Args:
        natural: the sources of new text, with what they weigh against each other.
        fixed: groups of other sources, each with its share of all rows by source.

    >>> divide_shares({"new": 6.0, "newer": 2.0}, {"replay": {"old": 0.2}})
    {'new': 0.6000000000000001, 'newer': 0.2, 'old': 0.2}
    """
    given = {name: share for group in fixed.values() for name, share in group.items()}
    left = (1 - sum(given.values())) / sum(natural.values())
    return {**{name: weight * left for name, weight in natural.items()}, **given}


if __name__ == "__main__":
    print(divide_shares({"new": 3.0}, {"replay": {"old": 0.1}, "augment": {"infill": 0.15}}))
