"""Tasks that write under attack: the input changes, what is right does not."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from hanlin.attacks import Budget
from hanlin.errors import UserError
from hanlin.tasks import Record, attack_task
from hanlin.tasks.classify import Classify, Labelled
from hanlin.tasks.dialogue import Dialogue
from hanlin.tasks.summarize import Summarize
from hanlin.tasks.translate import Pair, Translate
from hanlin.text.world import Story
from hanlin.tokenizers import Tokenizer

from .conftest import taught

PAIRS = [
    Pair("小猫看见鱼。", "The cat saw a fish.", "en"),
    Pair("小狗把球给了小明。", "The dog gave the ball to Ming.", "en"),
]


def test_a_model_that_knows_by_heart_fails_on_what_was_rewritten(
    parrot: Callable[..., Any], bpe: Tokenizer
) -> None:
    engine = parrot(taught(Translate(), PAIRS, bpe))
    first, second = (
        attack_task(engine, Translate(), PAIRS, ["sound"], Budget(0.3, 2), seed=1) for _ in range(2)
    )
    assert first == second
    assert first["clean"]["exact"] == 1.0
    assert first["rewritten"] == 2
    assert first["chance"]["exact"] == first["worst"]["exact"] == 0.0
    assert first["worst"]["bleu"] < first["clean"]["bleu"]


def test_nothing_to_change_changes_nothing(parrot: Callable[..., Any], bpe: Tokenizer) -> None:
    engine = parrot(taught(Translate(), PAIRS, bpe))
    found = attack_task(engine, Translate(), PAIRS, ["typing"], Budget(0.3, 2), seed=1)
    assert found["rewritten"] == 0
    assert found["worst"] == found["clean"]


def test_each_task_says_what_of_its_input_is_rewritten(stories: list[Story]) -> None:
    pair = Translate().rewrite(PAIRS[0], str.upper)
    assert (pair.source, pair.target) == (PAIRS[0].source.upper(), PAIRS[0].target)
    record = {"text": "小猫看见鱼。小狗看见球。", "summary": "小猫看见鱼。"}
    (abstract,) = Summarize().read(Record(record, "here"))
    changed = Summarize().rewrite(abstract, lambda text: f"{text}！")
    assert changed.document == f"{abstract.document}！"
    assert (changed.summary, changed.keywords) == (abstract.summary, abstract.keywords)
    messages = [
        {"role": "user", "content": "送到哪里"},
        {"role": "assistant", "content": "哪里都行"},
    ]
    (talk,) = Dialogue().read(Record({"messages": messages}, "here"))
    turns = Dialogue().rewrite(talk, lambda text: f"{text}？").messages
    assert [turn.content for turn in turns] == ["送到哪里？", "哪里都行"]
    labelled = Labelled("猫", "a", "zh", "狗")
    assert Classify().rewrite(labelled, lambda text: text * 2) == Labelled("猫猫", "a", "zh", "狗")


def test_what_cannot_be_rewritten_is_said(stories: list[Story]) -> None:
    (request, *_) = Dialogue().invent(stories[0], "zh", random.Random(1))
    with pytest.raises(UserError, match="its user is simulated"):
        Dialogue().rewrite(request, str.upper)
