"""How a step's tokens are shared among prompts that are still to be read.

A quarter of them by max-min fairness: every prompt gets an equal share, and what a short one does
not need goes to the longer ones. So with P prompts and a budget of b tokens a step, one of n tokens
is read within about 4 n P / b steps, however long the others are. The rest goes to the prompts that
are nearest to their ends: if all had the same, prompts that came together would be read up
together, and each would wait for all.

    python -m hanlin.generation.fairness
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["share_tokens"]


def share_tokens(budget: int, wanted: Sequence[int], unit: int = 1) -> list[int]:
    """Return how many of the tokens that it still wants each prompt gets, in order of arrival.

    A share that does not end a prompt is a multiple of `unit`.

    >>> share_tokens(100, [500, 10, 500]), share_tokens(64, [500, 10, 500], unit=16)
    ([81, 10, 9], [48, 10, 0])
    """
    given = [0] * len(wanted)
    rest = budget // 4
    order = sorted(range(len(wanted)), key=wanted.__getitem__)  # of those as near, as they came
    for passed, place in enumerate(order):
        given[place] = min(wanted[place], rest // (len(wanted) - passed))
        rest -= given[place]
    given = [_whole(share, want, unit) for share, want in zip(given, wanted, strict=True)]
    rest = budget - sum(given)
    for place in order:
        left = wanted[place] - given[place]
        more = _whole(min(rest, left), left, unit)
        given[place] += more
        rest -= more
    return given


def _whole(share: int, wanted: int, unit: int) -> int:
    """Return all that is wanted, or whole units of the share."""
    return wanted if share == wanted else share - share % unit


if __name__ == "__main__":
    print(share_tokens(480, [2000, 30, 60]))
