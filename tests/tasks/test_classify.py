"""Labels as words: chosen by likelihood among those that there are."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from hanlin.tasks import Record
from hanlin.tasks.classify import Classify, Labelled, choose_label
from hanlin.text.world import Story
from hanlin.tokenizers import Tokenizer

from .conftest import taught


def test_the_label_and_its_end_are_learnt(bpe: Tokenizer) -> None:
    (example,) = Classify().read(Record({"text": "小猫跑了。", "label": "动物"}, "here"))
    encoded = Classify().encode(example, bpe)
    whole = "<|endoftext|>小猫跑了。<|target|>动物<|endoftext|>"
    assert bpe.decode(encoded.ids, skip_control=False) == whole
    (answer,) = encoded.answers()
    assert bpe.decode(answer) == "动物"


def test_the_likeliest_label_is_chosen(parrot: Callable[..., Any]) -> None:
    engine = parrot(lambda prompt: "动物" if prompt.endswith("<|target|>") else "")
    assert choose_label(engine, "小猫跑了。", ["东西", "动物"]) == "动物"


def test_a_model_that_knows_beats_the_commonest_label(
    bpe: Tokenizer, parrot: Callable[..., Any], stories: list[Story]
) -> None:
    rng = random.Random(3)
    examples: list[Labelled] = [
        one for story in stories for one in Classify().invent(story, "zh", rng)
    ]
    figures = Classify().measure(parrot(taught(Classify(), examples, bpe)), examples).figures
    assert figures["accuracy"] == figures["macro_f1"] == 1
    assert figures["controls"]["commonest"]["accuracy"] < 1
