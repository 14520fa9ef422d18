"""How well summaries follow the keywords that led them.

coverage      share of the planned words that the summaries name
kendall_tau   of planned order and order of first mention, where two words are named; the mean
followed      share of summaries whose tau is above 0, naming fewer than two words counts as no
in_order      share of summaries that name every planned word, in exactly the planned order
events        share of the events of a toy-world summary that are told, in any of their wordings

python -m hanlin.tasks.following
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from statistics import fmean

from hanlin.tasks.keywords import keep_present, kendall_tau, mention_order

__all__ = ["events_told", "measure_following"]


def measure_following(
    texts: Sequence[str], plans: Sequence[Sequence[str]]
) -> dict[str, float | None]:
    """Return how summaries follow plans; None where no plan has two words.

    >>> measure_following(["鱼和猫。", "猫。"], [["鱼", "猫"], ["鱼", "猫"]])["followed"]
    0.5
    """
    taus, followed, in_order = [], [], []
    for text, plan in zip(texts, plans, strict=True):
        order = mention_order(plan, text)
        tau = kendall_tau(order)
        if tau is not None:
            taus.append(tau)
        if len(plan) > 1:
            followed.append(tau is not None and tau > 0)
            in_order.append(order == list(range(len(plan))))
    planned = sum(map(len, plans))
    named = sum(len(keep_present(p, text)) for text, p in zip(texts, plans, strict=True))
    return {
        "coverage": named / planned if planned else None,
        "kendall_tau": fmean(taus) if taus else None,
        "followed": fmean(followed) if followed else None,
        "in_order": fmean(in_order) if in_order else None,
    }


def events_told(
    texts: Sequence[str], events: Sequence[Sequence[Collection[str]]]
) -> dict[str, float]:
    """Return the share of events that the texts tell, given the wordings of each; else nothing."""
    told = [
        any(wording in text.casefold() for wording in wordings)
        for text, known in zip(texts, events, strict=True)
        for wordings in known
    ]
    return {"events": fmean(told)} if told else {}


if __name__ == "__main__":
    print(measure_following(["鱼看见小猫。"], [["小猫", "鱼"]]))
