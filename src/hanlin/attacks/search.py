"""Greedy search for an adversarial text, within a budget of changes and of queries.

First the units of the text are ranked by what they seem to matter: by how much the right label's
probability falls without each (black box; Li et al. 2016; Jin et al. 2020, TextFooler), by the
gradient of the loss at its embeddings (white box; Ebrahimi et al. 2018, HotFlip), or by chance (the
control). Then the units are taken in this order; of the edits that a unit allows, the one that
hurts most is kept if it hurts at all, until the model changes its mind or the budget is spent.

    python -m hanlin.attacks.search
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hanlin.attacks.edits import Edit, Span, apply_edits, touched, units_of
from hanlin.attacks.families import propose_edits
from hanlin.config import AttackFamily

__all__ = ["Attack", "Budget", "Ranking", "Victim", "attack_text"]

Ranking = Literal["deletion", "gradient", "random"]


class Victim(Protocol):
    """A classifier under attack."""

    @property
    def labels(self) -> Sequence[str]:
        """What it tells apart."""

    def fits(self, text: str) -> bool:
        """Whether it can read a text whole."""

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return each label's probability for each text, (texts, labels)."""

    def saliency(self, text: str, label: int) -> NDArray[np.float64]:
        """Return the norm of the gradient of the loss at each character, (characters,)."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What an attack may spend on one text."""

    changed: float = 0.2
    """The share of the text's units that it changes at most; one it always may."""
    queries: int = 200
    """How many texts it asks the model about at most; a gradient counts as one."""


@dataclass(frozen=True, slots=True)
class Attack:
    """What an attack on one text came to."""

    text: str
    label: str
    before: str
    """What the model said of the text."""
    after: str
    """What it says of the changed text."""
    changed_text: str
    edits: tuple[Edit, ...]
    queries: int
    changed: float
    """The share of the units that were changed."""

    @property
    def succeeded(self) -> bool:
        """Whether the model was right, and is wrong now."""
        return self.before == self.label != self.after


def attack_text(
    victim: Victim,
    text: str,
    label: str,
    families: Sequence[AttackFamily],
    budget: Budget,
    rng: random.Random,
    ranking: Ranking = "deletion",
) -> Attack:
    """Attack one text; one that the model reads wrongly already is left as it is."""
    right = list(victim.labels).index(label)
    scores = victim.probabilities([text])[0]
    before = victim.labels[int(scores.argmax())]
    search = _Search(victim, text, right, budget, float(scores[right]), after=before)
    if before == label:
        search.run(propose_edits(text, families, rng), rng, ranking)
    return Attack(
        text=text,
        label=label,
        before=before,
        after=search.after,
        changed_text=apply_edits(text, search.kept),
        edits=tuple(sorted(search.kept)),
        queries=search.queries,
        changed=search.share(search.kept),
    )


@dataclass
class _Search:
    victim: Victim
    text: str
    right: int
    budget: Budget
    score: float
    """The right label's probability so far."""
    after: str
    kept: list[Edit] = field(default_factory=list)
    queries: int = 0

    def __post_init__(self) -> None:
        self.units = units_of(self.text)
        self.most = max(1, int(self.budget.changed * len(self.units)))

    def share(self, edits: Sequence[Edit]) -> float:
        """Return the share of the units that edits change."""
        return len(touched(edits, self.units)) / max(1, len(self.units))

    @property
    def left(self) -> int:
        """How many queries are left."""
        return self.budget.queries - self.queries

    def run(self, edits: Sequence[Edit], rng: random.Random, ranking: Ranking) -> None:
        """Change the text until the model is wrong or the budget is spent."""
        by_unit: dict[int, list[Edit]] = {}
        for edit in edits:
            by_unit.setdefault(min(touched([edit], self.units), default=-1), []).append(edit)
        by_unit.pop(-1, None)
        for unit in self._ranked(sorted(by_unit), rng, ranking):
            if self._try(by_unit[unit]):
                return

    def _try(self, edits: Sequence[Edit]) -> bool:
        """Try one unit's edits and keep the best; return whether the search is over."""
        fitting = [edit for edit in edits if self._allows(edit)][: max(0, self.left)]
        if not fitting:
            return self.left <= 0
        scores = self._ask([apply_edits(self.text, [*self.kept, edit]) for edit in fitting])
        best = int(scores[:, self.right].argmin())
        if scores[best, self.right] < self.score:
            self.score = float(scores[best, self.right])
            self.kept.append(fitting[best])
            self.after = self.victim.labels[int(scores[best].argmax())]
        return self.after != self.victim.labels[self.right]

    def _allows(self, edit: Edit) -> bool:
        if any(edit.overlaps(other) for other in self.kept):
            return False
        together = [*self.kept, edit]
        if len(touched(together, self.units)) > self.most:
            return False
        return self.victim.fits(apply_edits(self.text, together))

    def _ranked(self, numbers: Sequence[int], rng: random.Random, ranking: Ranking) -> list[int]:
        """Return the units, those first that matter most."""
        order = rng.sample(numbers, len(numbers))
        if ranking == "random" or self.left < 2:
            return order
        if ranking == "gradient":
            slopes = self.victim.saliency(self.text, self.right)
            self.queries += 1
            return sorted(order, key=lambda n: -_total(slopes, self.units[n]))
        asked = order[: self.left // 2]
        if not asked:
            return order
        scores = self._ask([apply_edits(self.text, [Edit(*self.units[n], "")]) for n in asked])
        falls = dict(zip(asked, scores[:, self.right].tolist(), strict=True))
        return [*sorted(asked, key=lambda n: falls[n]), *order[len(asked) :]]

    def _ask(self, texts: Sequence[str]) -> NDArray[np.float64]:
        self.queries += len(texts)
        return self.victim.probabilities(texts)


def _total(slopes: NDArray[np.float64], span: Span) -> float:
    return float(slopes[span[0] : span[1]].sum())


if __name__ == "__main__":

    class _Counter:
        """Says 'good' as long as a text has the word."""

        labels = ("good", "bad")

        def fits(self, text: str) -> bool:
            return True

        def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
            right = np.array([0.9 if "good" in text.split() else 0.1 for text in texts])
            return np.stack([right, 1 - right], axis=1)

        def saliency(self, text: str, label: int) -> NDArray[np.float64]:
            return np.array([float(letter == "g") for letter in text])

    print(attack_text(_Counter(), "a good film", "good", ["typing"], Budget(), random.Random(1)))
