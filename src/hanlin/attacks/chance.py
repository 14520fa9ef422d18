"""A text rewritten at random within a budget, more often where it is said to matter.

python -m hanlin.attacks.chance
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from hanlin.attacks.edits import Edit, apply_edits, touched, units_of
from hanlin.attacks.families import propose_edits
from hanlin.config import AttackFamily

__all__ = ["rewrite_text"]

_LEAST = 1e-12


def rewrite_text(
    text: str,
    families: Sequence[AttackFamily],
    share: float,
    rng: random.Random,
    weights: Sequence[float] | None = None,
) -> str:
    """Return a text of which up to `share` of the units, and at least one, are changed.

    `weights` says how much each character matters; units come in an order drawn in proportion to
    the sums of theirs, by a clock for each that rings at that rate.
    """
    units = units_of(text)
    most = max(1, int(share * len(units)))
    by_unit: dict[int, list[Edit]] = {}
    for edit in propose_edits(text, families, rng):
        for unit in touched([edit], units):
            by_unit.setdefault(unit, []).append(edit)
    times = {}
    for unit in by_unit:
        start, end = units[unit]
        rate = 1.0 if weights is None else max(_LEAST, sum(weights[start:end]))
        times[unit] = rng.expovariate(rate)
    kept: list[Edit] = []
    for unit in sorted(by_unit, key=times.__getitem__):
        edit = rng.choice(by_unit[unit])
        fits = len(touched([*kept, edit], units)) <= most
        if fits and not any(edit.overlaps(other) for other in kept):
            kept.append(edit)
    return apply_edits(text, kept)


if __name__ == "__main__":
    print(rewrite_text("味道很好，送餐也快。", ["sound", "split"], 0.3, random.Random(1)))
