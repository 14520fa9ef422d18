"""Summaries in a reader's order, and tellings that say the same."""

from __future__ import annotations

import random

import pytest

from hanlin.tasks.keywords import mention_order
from hanlin.text.world import (
    Language,
    Story,
    are_choices,
    choices,
    edit_keywords,
    event_wordings,
    generate_story,
    related,
    retell,
    same_sentences,
    split_story,
    wide_request,
)
from hanlin.text.world.casting import is_held_out
from hanlin.text.world.entities import Actor, Item

LANGUAGES: tuple[Language, ...] = ("zh", "en")


@pytest.fixture(scope="module")
def stories() -> list[Story]:
    rng = random.Random(4)
    return [generate_story(rng) for _ in range(60)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_natural_order_gives_the_natural_summary(
    stories: list[Story], language: Language
) -> None:
    for story in stories:
        assert retell(story, story.keywords(language), language) == story.summary(language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_any_order_is_followed_and_every_event_is_still_told(
    stories: list[Story], language: Language
) -> None:
    rng = random.Random(1)
    for story in stories:
        names = list(story.keywords(language))
        rng.shuffle(names)
        text = retell(story, names, language)
        assert mention_order(names, text) == list(range(len(names)))
        for wordings in event_wordings(story, language):
            assert any(wording in text.casefold() for wording in wordings)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_told_in_another_order_happened_in_the_story(
    stories: list[Story], language: Language
) -> None:
    """Behind the topics in front, each sentence is an event of the story or its place."""
    rng = random.Random(2)
    comma, there = ("，", "这件事发生在") if language == "zh" else (", ", "It happened")
    for story in stories:
        told = {
            wording
            for index in range(len(story.events))
            for wording in _wordings(story, index, language)
        }
        text = retell(story, edit_keywords(story, language, rng), language)
        for sentence in split_story(text, language):
            parts = sentence.casefold().rstrip(".。").split(comma)
            tails = [comma.join(parts[n:]) for n in range(len(parts))]
            assert sentence.startswith(there) or any(tail in told for tail in tails), sentence


def _wordings(story: Story, index: int, language: Language) -> frozenset[str]:
    (found,) = event_wordings(Story(story.events, (index,), story.wording), language)
    return found


def test_an_earlier_event_that_is_told_later_is_said_to_be_earlier() -> None:
    rng = random.Random(7)
    found = []
    for _ in range(40):
        story = generate_story(rng)
        if len(event_wordings(story, "en")) == 2:
            found.append(retell(story, story.keywords("en")[::-1], "en"))
    assert any("before that, " in text.casefold() for text in found)
    assert any("as for " in text.casefold() for text in found)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("Ming gave Hong the ball. In the park, Li saw a cat.", [True, True]),
        ("Ming gave Hong the ball.", [True, False]),
        ("Ming gave Hong the red ball. In the park, Li saw a cat", [False, False]),
        ("Ming gave the ball to Hong. In the yard, Li noticed a cat.", [True, False]),
        ("Ming gave the ball to Hong. In the park, Li saw a cat. Ming slept.", [True, True, False]),
        ("", [False, False]),
    ],
)
def test_sentences_are_judged_one_by_one(text: str, right: list[bool]) -> None:
    reference = "Ming gave the ball to Hong. In the park, Li saw a cat."
    assert same_sentences(text, reference, "en", story=False) == right


def test_another_time_of_day_or_connective_is_another_sentence() -> None:
    reference = (
        "One day, Ming came to the park. Later, Ming saw a cat. And so Ming went home happily."
    )
    for wrong, place in (("One evening,", 0), ("Then", 1), ("In the end,", 2)):
        right = ("One day,", "Later,", "And so")[place]
        judged = same_sentences(reference.replace(right, wrong), reference, "en", story=True)
        assert judged == [n != place for n in range(3)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_choices_hold_the_missing_fact_and_related_questions_speak_of_the_request(
    language: Language,
) -> None:
    rng = random.Random(3)
    for _ in range(80):
        request = wide_request(language, rng)
        met = [
            (one.key, other.key)
            for one in request.about
            for other in request.about
            if isinstance(one, Actor) and isinstance(other, Item)
        ]
        assert not any(is_held_out(*pair) for pair in met)
        offered = choices(request, language, rng)
        if request.missing is None:
            assert offered == ()
        else:
            assert request.fact in offered
            assert are_choices(offered, request.missing, language)
        assert 2 <= len(related(request, language, rng)) <= 3
    assert not are_choices(["Ming", "Ming"], "who", "en")
    assert not are_choices(["the park", "Ming"], "who", "en")
