from __future__ import annotations

import random
from statistics import mean

import pytest

from hanlin.text.world import Language, generate_story
from hanlin.text.world.entities import COLOURS, SIZES, phrase
from hanlin.text.world.lexicon import THINGS
from hanlin.text.world.requests import FRAMES

LANGUAGES: tuple[Language, Language] = ("zh", "en")
STORIES = [generate_story(random.Random(seed)) for seed in range(600)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_keywords_are_in_the_order_of_the_summary_and_in_the_text(language):
    for story in STORIES:
        summary, text = story.summary(language), story.text(language)
        keywords = story.keywords(language)
        assert len(keywords) >= 2
        positions = [summary.index(word) for word in keywords]
        assert positions == sorted(positions)
        assert all(word in text for word in keywords), (keywords, text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_summaries_are_shorter_than_their_stories(language):
    ratios = [len(story.summary(language)) / len(story.text(language)) for story in STORIES]
    assert max(ratios) < 1
    assert mean(ratios) < 0.55


def test_both_languages_ask_for_the_same_facts():
    for story in STORIES:
        assert len(story.questions("zh")) == len(story.questions("en")) >= 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_questions_differ_and_have_answers(language):
    for story in STORIES:
        pairs = story.questions(language)
        assert len({question for question, _ in pairs}) == len(pairs)
        assert all(question[-1] in "?？" and answer for question, answer in pairs)


def test_who_has_a_thing_in_the_end_is_answered_by_the_last_owner():
    story = next(s for s in STORIES if s.structure[-1][0] == "take_home")
    holder, item = story.events[-1].entities
    question = f"Who has {phrase(item, 'known', 'en')} in the end?"
    assert dict(story.questions("en"))[question] == phrase(holder, "known", "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_request_leaves_out_one_fact_or_none(language):
    rng = random.Random(language)
    kinds = set()
    for story in STORIES:
        request = story.request(language, rng)
        kinds.add(request.missing)
        assert bool(request.question) == bool(request.fact) == (request.missing is not None)
        if request.missing:
            assert request.fact not in request.text
            fact = request.fact.split()[-1]
            assert fact.removesuffix("里").removesuffix("上") in request.answer
            assert request.question[-1] in "?？"
    assert kinds == {None, "who", "what", "where"}


def test_every_frame_of_a_request_is_whole():
    for frame in FRAMES:
        assert {"ask", "answer"} <= set(frame.lines)
        assert {f"?{letter}" for letter in frame.letters} <= set(frame.lines)
        assert len(frame.letters) >= 2


def test_the_picture_says_what_the_scene_holds():
    for story in STORIES:
        chinese, english = story.picture("zh"), story.picture("en")
        assert 1 <= len(story.scene) <= 4
        assert len({figure.position for figure in story.scene}) == len(story.scene)
        for figure in story.scene:
            assert figure.colour in english and COLOURS[figure.colour] in chinese
            assert figure.size in english and SIZES[figure.size] in chinese
            assert THINGS[figure.thing].zh in chinese


def test_derived_texts_are_always_the_same():
    story = STORIES[7]
    again = generate_story(random.Random(7))
    for language in LANGUAGES:
        assert story.summary(language) == again.summary(language)
        assert story.picture(language) == again.picture(language)
        assert story.request(language, random.Random(1)) == again.request(
            language, random.Random(1)
        )
