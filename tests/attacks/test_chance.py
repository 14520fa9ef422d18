"""Texts rewritten by chance: within their budget, repeatably, sooner where it matters."""

from __future__ import annotations

import random

import pytest

from hanlin.attacks import rewrite_text, units_of

TEXT = "这家店的味道很好，服务态度也好，送餐很快，下次还来。"


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5])
def test_the_budget_is_kept(share: float) -> None:
    most = max(1, int(share * len(units_of(TEXT))))
    for seed in range(10):
        changed = rewrite_text(TEXT, ["sound"], share, random.Random(seed))
        assert len(changed) == len(TEXT)
        assert 0 < sum(a != b for a, b in zip(TEXT, changed, strict=True)) <= most
        assert changed == rewrite_text(TEXT, ["sound"], share, random.Random(seed))


def test_what_matters_is_changed_first() -> None:
    weights = [100.0 if character == "好" else 0.01 for character in TEXT]
    led, blind = (
        sum(
            rewrite_text(TEXT, ["sound"], 0.1, random.Random(seed), given).count("好")
            for seed in range(20)
        )
        for given in (weights, None)
    )
    assert led < blind


def test_a_text_that_offers_nothing_stays() -> None:
    assert rewrite_text("，。", ["sound"], 0.5, random.Random(1)) == "，。"
