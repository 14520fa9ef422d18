"""What a proof is made of: arms that are run, and claims that compare one arm with another.

An arm is a list of stages; the last one is measured. Arms differ in the one thing that a claim is
about and spend the same operations, teachers and sampling among them, and what was trained before
them where that differs too. Where an arm has several
rates, the best on *validation* text is taken, and only that one is judged, on *test* text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hanlin.config import StageConfig
from hanlin.evaluation import Comparison

__all__ = ["Arm", "Claim", "Proof", "merge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """Stages that are run in order from what the run has finished; the last is measured."""

    name: str
    stages: tuple[StageConfig, ...]
    rates: tuple[float, ...] = (1.0,)
    """Factors on the learning rates of the last stage, tried with the first seed."""
    chosen_by: str = "evaluation.validation.*.bits_per_byte"
    """The figure whose lowest mean chooses the rate; it must not be one that is judged."""
    spent: float = 0.0
    """Operations that were spent before it and count as its own: those of teachers and starts."""
    expected: float = 0.0
    """Operations that its stages should take, where that is known; prices go by it."""
    share: float = 1.0
    """The share of the other arms' operations that it is meant to spend."""

    @property
    def label(self) -> str:
        """Its name in folders and recipes."""
        return self.name.replace(" ", "-").replace("%", "percent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A sentence that can be wrong, and when it is right."""

    sentence: str
    """Where the figure has a `*`, `{language}` in the sentence names the language."""
    arm: str
    """The arm that it is about."""
    control: str
    """The arm that it is compared with; it may be the same one, with another figure."""
    figure: str
    """A dotted path into result.json; `*` stands for each language, a claim each."""
    rule: Comparison
    """When it holds."""
    control_figure: str = ""
    """The control's figure, where it is another."""
    control_name: str = ""
    """The control in words; the arm's name unless given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The arms and claims of one stage."""

    arms: tuple[Arm, ...]
    claims: tuple[Claim, ...]


def merge(proofs: Sequence[Proof]) -> Proof:
    """Return one proof that makes the claims of several; an arm that they share runs once.

    Of the same arm, all rates that any of them tries are tried; and where the first arm tries some,
    no control has to do with one.
    """
    arms: dict[str, Arm] = {}
    for arm in (arm for proof in proofs for arm in proof.arms):
        known = arms.setdefault(arm.name, arm)
        rates = tuple(dict.fromkeys([*known.rates, *arm.rates]))
        arms[arm.name] = replace(known, rates=rates, spent=max(known.spent, arm.spent))
    tried = next(iter(arms.values())).rates if arms else (1.0,)
    for name, arm in arms.items():
        arms[name] = arm if len(arm.rates) > 1 else replace(arm, rates=tried)
    return Proof(
        arms=tuple(arms.values()), claims=tuple(claim for proof in proofs for claim in proof.claims)
    )
