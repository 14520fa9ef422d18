"""Translation: two directions, exact or of the same events."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hanlin.errors import DataError
from hanlin.tasks import Record
from hanlin.tasks.translate import Pair, Translate
from hanlin.text.world import Story, split_story
from hanlin.text.world.wording import CONNECTIVES, FRAMES
from hanlin.tokenizers import Tokenizer, train_tokenizer

from .conftest import taught


def test_the_first_token_names_the_direction_and_the_target_is_learnt(bpe: Tokenizer) -> None:
    for pair, start in (
        (Pair("小猫。", "A cat.", "en"), "<|endoftext|><|zh2en|>小猫。<|target|>"),
        (Pair("A cat.", "小猫。", "zh"), "<|endoftext|><|en2zh|> A cat.<|target|>"),
    ):
        encoded = Translate().encode(pair, bpe)
        assert bpe.decode(encoded.prompt, skip_control=False) == start
        (answer,) = encoded.answers()
        assert bpe.decode(answer, skip_control=False).strip() == f"{pair.target}<|endoftext|>"


def test_a_sentence_by_itself_has_the_tokens_that_it_has_in_a_story(stories: list[Story]) -> None:
    bpe = train_tokenizer("bpe", [story.text("en") for story in stories] * 9, 600)
    sentences = split_story(stories[0].text("en"), "en")
    (told,) = Translate().encode(Pair("", " ".join(sentences[:2]), "en"), bpe).answers()
    (alone,) = Translate().encode(Pair("", sentences[1], "en"), bpe).answers()
    assert told[-len(alone) :] == alone


def test_a_record_gives_both_directions() -> None:
    pairs = list(Translate().read(Record({"zh": "小猫", "en": "cat"}, "here")))
    assert [Translate().language(pair) for pair in pairs] == ["zh2en", "en2zh"]
    with pytest.raises(DataError, match="here: the field 'en' is missing; the record has 'zh'"):
        Translate().read(Record({"zh": "小猫"}, "here"))


def test_who_knows_it_by_heart_scores_in_full(
    bpe: Tokenizer, parrot: Callable[..., Any], stories: list[Story]
) -> None:
    task, rng = Translate(), random.Random(1)
    pairs = [pair for story in stories for pair in task.invent(story, "zh", rng)]
    figures = task.measure(parrot(taught(task, pairs, bpe)), pairs).figures
    assert figures["exact"] == figures["right_language"] == 1
    assert figures["sentences"]["right"] == figures["stories"]["right"] == 1
    assert figures["stories"]["examples"] == len(stories)
    assert figures["sentences"]["examples"] > 4 * len(stories)
    assert figures["bleu"] == pytest.approx(100)
    assert figures["chrf"] == pytest.approx(100)
    assert figures["controls"]["copy"]["bleu"] < 5


def test_the_same_events_in_other_words_are_equivalent_but_not_exact(
    parrot: Callable[..., Any], stories: list[Story]
) -> None:
    story = stories[0]
    reworded = next(
        text
        for wording in range(5000)
        if (text := replace(story, wording=wording).text("en")) != story.text("en")
        and _beginnings(text) == _beginnings(story.text("en"))
    )
    pair = Pair(story.text("zh"), story.text("en"), "en", "story")
    figures = Translate().measure(parrot(lambda _: reworded), [pair]).figures
    assert figures["exact"] == figures["stories"]["exact"] == 0
    assert figures["stories"]["right"] == figures["sentences"]["right"] == 1
    other = Translate().measure(parrot(lambda _: stories[1].text("en")), [pair]).figures
    assert other["stories"]["right"] == 0


def _beginnings(text: str) -> list[str]:
    """Return what each sentence begins with that is no event."""
    known = [*CONNECTIVES["en"], *FRAMES["opening"]["en"], *FRAMES["ending"]["en"]]
    return [
        next((each for each in known if sentence.startswith(each)), "")
        for sentence in split_story(text, "en")
    ]


def test_sentences_of_a_story_and_about_anyone_are_drilled(stories: list[Story]) -> None:
    for story in stories:
        pairs = Translate().drill(story, "zh", random.Random(1))
        told = [
            pair.source in story.text("zh") and pair.target in story.text("en") for pair in pairs
        ]
        assert told == [True, True, False, False]
        assert len(split_story(pairs[-1].source, "zh")) > 1
        assert all(pair.kind is None for pair in pairs)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"zh": "The cat ran.", "en": "小猫跑了。"}, "here: the columns look mixed up"),
        ({"zh": "ねこがはしりました", "en": "The cat ran."}, "here, 'zh': the text is neither"),
        ({"zh": "小猫跑了。", "en": "Кошка убежала."}, "here, 'en': the text is neither"),
    ],
)
def test_columns_in_other_languages_are_named(record: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Translate().read(Record(record, "here"))
