"""The search keeps its budgets, repeats itself by seed, and finds what can be found."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from hanlin.attacks import Attack, Budget, Ranking, apply_edits, attack_text, touched, units_of

TEXT = "这家店的味道很好，服务态度也好，送餐很快，下次还来好。"
RANKINGS: tuple[Ranking, ...] = ("deletion", "gradient", "random")


class Counter:
    """Says 'good' by how often a text has 好; counts what it is asked, and reads 60 characters."""

    labels = ("bad", "good")

    def __init__(self) -> None:
        self.asked = 0

    def fits(self, text: str) -> bool:
        return len(text) <= 60

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        self.asked += len(texts)
        good = np.array([text.count("好") / 4 for text in texts]) - 0.1
        return np.stack([1 - good, good], axis=1)

    def saliency(self, text: str, label: int) -> NDArray[np.float64]:
        self.asked += 1
        return np.array([float(character == "好") for character in text])


def attack(victim: Counter, budget: Budget, ranking: Ranking, seed: int = 1) -> Attack:
    rng = random.Random(seed)
    return attack_text(victim, TEXT, "good", ["sound", "marks", "split"], budget, rng, ranking)


@pytest.mark.parametrize("ranking", RANKINGS)
def test_the_model_is_fooled_where_it_can_be(ranking: Ranking) -> None:
    found = attack(Counter(), Budget(0.3, 500), ranking)
    assert found.succeeded
    assert found.before == "good"
    assert found.changed_text == apply_edits(TEXT, found.edits)
    assert found.changed_text.count("好") < 3
    assert {TEXT[edit.start] for edit in found.edits} == {"好"}


@pytest.mark.parametrize("ranking", RANKINGS)
@pytest.mark.parametrize(
    "budget", [Budget(0.01, 500), Budget(0.2, 3), Budget(0.2, 30), Budget(1, 1)]
)
def test_budgets_are_kept(ranking: Ranking, budget: Budget) -> None:
    victim = Counter()
    found = attack(victim, budget, ranking)
    assert found.queries == victim.asked - 1 <= budget.queries  # the text itself is free
    units = units_of(TEXT)
    most = max(1, int(budget.changed * len(units)))
    assert len(touched(found.edits, units)) <= most
    assert found.changed == pytest.approx(len(touched(found.edits, units)) / len(units))


def test_a_text_read_wrongly_is_left_alone() -> None:
    victim = Counter()
    found = attack_text(victim, TEXT, "bad", ["sound"], Budget(), random.Random(1))
    assert (found.changed_text, found.queries, found.succeeded) == (TEXT, 0, False)


def test_chance_hangs_on_the_seed_alone() -> None:
    first, second, other = (attack(Counter(), Budget(), "random", seed) for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_leaving_out_finds_what_matters_sooner_than_chance() -> None:
    led = [attack(Counter(), Budget(0.2, 500), "gradient", seed).queries for seed in range(5)]
    blind = [attack(Counter(), Budget(0.2, 500), "random", seed).queries for seed in range(5)]
    assert sum(led) < sum(blind)


def test_what_the_model_cannot_read_is_not_tried() -> None:
    class Narrow(Counter):
        def fits(self, text: str) -> bool:
            return len(text) <= len(TEXT)

    rng = random.Random(1)
    found = attack_text(Narrow(), TEXT, "good", ["marks", "split"], Budget(), rng)
    assert not found.edits
