"""The proof of a task stage under attack: its arms, its claims, and when it has none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from hanlin.config import AdversarialConfig, StageConfig
from hanlin.runs.proofs.attacked import prove_attacked
from hanlin.runs.proofs.registry import PROOFS


def stage(**settings: Any) -> StageConfig:
    values = {
        "name": "mood",
        "kind": "task",
        "from": "base",
        "training": {"steps": 4},
        "task": {
            "tasks": [
                {"name": "mood", "path": "a.jsonl", "head": {}},
                {"name": "translate", "path": "b.jsonl"},
            ],
            "adversarial": settings,
        },
    }
    return StageConfig.model_validate(values)


def prove(**settings: Any) -> Any:
    return prove_attacked(SimpleNamespace(stage=stage(**settings)))  # type: ignore[arg-type]


def attack_of(arm: Any) -> AdversarialConfig:
    found = arm.stages[0].task.adversarial
    assert isinstance(found, AdversarialConfig)
    return found


def test_the_controls_differ_in_the_attacks_alone() -> None:
    settings = {"method": "pgd", "steps": 5, "families": ["sound"], "held_out": ["pinyin"]}
    recipe, without, chance = prove(**settings).arms
    assert attack_of(recipe).model_dump() == stage(**settings).task.adversarial.model_dump()  # type: ignore[union-attr]
    assert attack_of(without).method == "none"
    assert not attack_of(without).rewrites
    assert (attack_of(chance).method, attack_of(chance).tries) == ("noise", 1)
    assert attack_of(chance).rewrites
    for arm in (recipe, without, chance):
        assert attack_of(arm).measured_sets == ("trained", "held_out")
        bare = arm.stages[0].task.model_copy(update={"adversarial": None})
        assert bare == recipe.stages[0].task.model_copy(update={"adversarial": None})


def test_classifiers_alone_are_judged_by_each_set_against_each_control() -> None:
    claims = prove(method="fgsm", families=["sound"], held_out=["pinyin"]).claims
    figures = [(claim.control, claim.figure) for claim in claims]
    assert figures == [
        (control, f"attacked.mood.*.by_attack.{name}.accuracy.value")
        for name in ("trained", "held_out")
        for control in ("without attacks", "with attacks by chance")
    ] + [("without attacks", "attacked.mood.*.clean.value")]


def test_noise_and_blind_rewriting_are_no_control_of_themselves() -> None:
    assert [arm.name for arm in prove(method="noise").arms] == ["recipe", "without attacks"]
    arms = prove(families=["sound"], tries=1).arms
    assert [arm.name for arm in arms] == ["recipe", "without attacks"]
    assert [claim.figure.split(".")[4] for claim in prove(method="noise").claims[:1]] == [
        "together"
    ]


def test_nothing_is_claimed_of_what_is_not_measured() -> None:
    assert prove(method="fgm", measured=0).claims == ()


@pytest.mark.parametrize("settings", [{"method": "fgm"}, {"families": ["sound"]}])
def test_the_proof_belongs_to_stages_with_the_table(settings: dict[str, Any]) -> None:
    (made,) = [make for applies, make in PROOFS if applies(stage(**settings))]
    assert made is prove_attacked
