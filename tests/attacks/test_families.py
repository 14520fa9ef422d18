"""Families of edits: contained, reversible, repeatable, and of the language that they are for."""

from __future__ import annotations

import random
from typing import get_args

import pytest

from hanlin.attacks import (
    CHINESE,
    ENGLISH,
    FAMILIES,
    Edit,
    apply_edits,
    choose_families,
    propose_edits,
    touched,
    undo_edits,
    units_of,
)
from hanlin.attacks.tables import COMPONENTS, SHAPES, SYNONYMS_EN, SYNONYMS_ZH
from hanlin.config import AttackFamily
from hanlin.errors import UserError

ZH = "这家店的味道很好，服务态度也不错，送餐快，下次还来。"
EN = "A wonderful film with great performances, but it's a little boring."
MIXED = f"{ZH} {EN}"


@pytest.mark.parametrize("family", get_args(AttackFamily))
def test_an_edit_changes_its_span_and_nothing_else(family: AttackFamily) -> None:
    edits = propose_edits(MIXED, [family], random.Random(1))
    assert edits
    for edit in edits:
        changed = apply_edits(MIXED, [edit])
        assert changed != MIXED
        assert changed == MIXED[: edit.start] + edit.new + MIXED[edit.end :]
        assert undo_edits(changed, MIXED, [edit]) == MIXED
        assert touched([edit], units_of(MIXED))


@pytest.mark.parametrize("family", get_args(AttackFamily))
def test_the_same_seed_gives_the_same_edits(family: AttackFamily) -> None:
    first, second = (propose_edits(MIXED, [family], random.Random(7)) for _ in range(2))
    assert first == second


def test_several_edits_are_applied_and_undone_together() -> None:
    edits = [Edit(6, 7, "口未"), Edit(0, 1, ""), Edit(9, 10, "hao")]
    changed = apply_edits(ZH, edits)
    assert changed == "家店的味道很好，"[:3] + ZH[4:6] + "口未" + ZH[7:9] + "hao" + ZH[10:]
    assert undo_edits(changed, ZH, edits) == ZH


def test_families_are_those_of_a_language() -> None:
    assert set(CHINESE) | set(ENGLISH) == set(FAMILIES) == set(get_args(AttackFamily))
    for family in set(CHINESE) - {"synonym"}:
        assert not propose_edits(EN, [family], random.Random(1))
    for family in set(ENGLISH) - {"synonym"}:
        assert not propose_edits(ZH, [family], random.Random(1))


def test_what_each_family_does() -> None:
    def offered(text: str, family: AttackFamily) -> set[str]:
        edits = (propose_edits(text, [family], random.Random(seed)) for seed in range(20))
        return {edit.new for some in edits for edit in some}

    assert {"号", "浩"} & offered("好", "sound")
    assert offered("好", "pinyin") == {"hao"}
    assert offered("好", "split") == {"女子"}
    assert offered("强", "split") == {"弓虽"}
    assert {"末", "木"} <= offered("未", "shape")
    assert offered("头发", "traditional") == {"頭", "髮"}
    assert offered("发现", "traditional") == {"發", "現"}
    assert all(new[0] == "很" and len(new) == 2 for new in offered("很好", "marks"))
    assert "superb" in offered("great", "synonym")
    assert "Superb" in offered("Great", "synonym")
    assert "挺好" in offered("不错", "synonym")
    assert {"GOOD", "Good"} <= offered("good", "case")
    assert "g0od" in offered("good", "lookalike")
    assert all(new[0] == "f" and new[-1] == "m" for new in offered("film", "typing"))
    assert not offered("it", "typing")


def test_a_table_never_gives_a_thing_for_itself() -> None:
    for table in (SHAPES, COMPONENTS, SYNONYMS_ZH, SYNONYMS_EN):
        assert all(word not in others for word, others in table.items())
    assert min(len(SHAPES), len(COMPONENTS), len(SYNONYMS_ZH), len(SYNONYMS_EN)) > 250


def test_a_text_without_words_offers_nothing() -> None:
    for text in ("", "，。!? 123", "\n"):
        assert not propose_edits(text, list(FAMILIES), random.Random(1))


def test_an_unknown_family_is_named() -> None:
    assert choose_families(["sound", "case", "sound"]) == ("sound", "case")
    with pytest.raises(UserError, match="no family 'sonud'; there are typing"):
        choose_families(["sonud"])
