"""How a classifier fares under attack: accuracy before and after, and what the attacks cost.

Every attack is made afresh on the model that is measured (it is adaptive), each text under a seed
of its own, so that neither order nor number of texts changes what becomes of one.

    attacks = {"sound": ["sound"], "together": ["sound", "marks"]}
    report = measure_robustness(victim, [("味道很好", "good")], attacks, Budget(), seed=1)
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from hanlin.attacks import Attack, Budget, Ranking, Victim, attack_text
from hanlin.config import AttackFamily
from hanlin.evaluation.intervals import Share

__all__ = ["AttackReport", "RobustnessReport", "measure_robustness"]


@dataclass(frozen=True)
class AttackReport:
    """One attack on all texts."""

    families: tuple[AttackFamily, ...]
    attacks: Sequence[Attack]

    @property
    def accuracy(self) -> Share:
        """The share of texts that are still read rightly."""
        return Share(sum(one.after == one.label for one in self.attacks), len(self.attacks))

    @property
    def success(self) -> Share:
        """The share of the texts read rightly before that are not any more."""
        right = sum(one.before == one.label for one in self.attacks)
        return Share(sum(one.succeeded for one in self.attacks), right)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values; None where nothing could be counted."""
        tried = [one for one in self.attacks if one.before == one.label]
        fooled = [one for one in tried if one.succeeded]
        return {
            "families": list(self.families),
            "accuracy": self.accuracy.as_dict(),
            "success": self.success.as_dict(),
            "queries": fmean(one.queries for one in tried) if tried else None,
            "changed": fmean(one.changed for one in fooled) if fooled else None,
            "untouched": sum(not one.edits for one in tried),
        }


@dataclass(frozen=True)
class RobustnessReport:
    """A classifier under several attacks."""

    clean: Share
    by_attack: Mapping[str, AttackReport]

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        by_attack = {name: report.as_dict() for name, report in self.by_attack.items()}
        return {"clean": self.clean.as_dict(), "by_attack": by_attack}

    def found(self) -> Iterator[dict[str, Any]]:
        """Yield each adversarial example as JSON values."""
        for name, report in self.by_attack.items():
            for one in report.attacks:
                if one.succeeded:
                    yield {
                        "attack": name,
                        "text": one.text,
                        "label": one.label,
                        "adversarial": one.changed_text,
                        "read_as": one.after,
                        "edits": [[edit.start, edit.end, edit.new] for edit in one.edits],
                        "queries": one.queries,
                        "changed": one.changed,
                    }


def measure_robustness(
    victim: Victim,
    examples: Sequence[tuple[str, str]],
    attacks: Mapping[str, Sequence[AttackFamily]],
    budget: Budget,
    *,
    seed: int,
    ranking: Ranking = "deletion",
    progress: Callable[[str], None] = lambda line: None,
) -> RobustnessReport:
    """Attack each text with its label by each of the attacks, which are named families together."""
    reports = {}
    for name, families in attacks.items():
        found = []
        for text, label in examples:
            rng = random.Random(f"{seed}/{name}/{text}")
            found.append(attack_text(victim, text, label, families, budget, rng, ranking))
        reports[name] = AttackReport(tuple(families), found)
        progress(f"{name}: {reports[name].accuracy.value:.1%} read rightly")
    first = next(iter(reports.values())).attacks
    clean = Share(sum(one.before == one.label for one in first), len(first))
    return RobustnessReport(clean, reports)
