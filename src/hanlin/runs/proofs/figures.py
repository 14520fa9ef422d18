"""Figures by dotted path: `evaluation.test.*.bits_per_byte` in a stage's result.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hanlin.errors import HanlinError

__all__ = ["figure_at", "keys_at", "mean_at"]

Figures = Mapping[str, Any]


def figure_at(figures: Figures, path: str) -> float:
    """Return the number at a path, NaN where it could not be measured; yes is 1 and no is 0.

    >>> figure_at({"evaluation": {"test": {"zh": 1.5}}}, "evaluation.test.zh")
    1.5

    Raises:
        HanlinError: there is no such figure.
    """
    found = _descend(figures, path.split("."), path)
    if found is None:
        return math.nan
    if not isinstance(found, int | float):
        raise HanlinError(f"The figure {path!r} of a result is no number but {found!r}.")
    return float(found)


def keys_at(results: Sequence[Figures], path: str) -> list[str]:
    """Return what `*` in a path stands for in all of some results, in the first one's order."""
    before = path.split(".*", 1)[0]
    groups = [_descend(result, before.split("."), path) for result in results]
    return [key for key in groups[0] if all(key in group for group in groups)] if groups else []


def mean_at(figures: Figures, path: str) -> float:
    """Return the mean of what a path with a `*` stands for.

    >>> mean_at({"test": {"zh": {"bits": 1}, "en": {"bits": 2}}}, "test.*.bits")
    1.5
    """
    if "*" not in path:
        return figure_at(figures, path)
    values = [figure_at(figures, path.replace("*", key)) for key in keys_at([figures], path)]
    return math.fsum(values) / len(values) if values else math.nan


def _descend(figures: Figures, keys: Sequence[str], path: str) -> Any:
    """Go down a path; a key may have dots of its own, so the longest that is there is taken."""
    found: Any = figures
    while keys:
        tried = [(".".join(keys[:n]), n) for n in range(len(keys), 0, -1)]
        there = (pair for pair in tried if isinstance(found, Mapping) and pair[0] in found)
        key, length = next(there, ("", 0))
        if not length:
            known = ", ".join(found) if isinstance(found, Mapping) else repr(found)
            raise HanlinError(
                f"A result has no figure {path!r}: there is no {keys[0]!r} among {known}. A longer "
                "held-out split, or evaluation.samples, may bring it."
            )
        found, keys = found[key], keys[length:]
    return found
