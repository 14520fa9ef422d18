from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.config import WorldConfig
from hanlin.text.world import Language, check, generate_story, write_stories
from hanlin.text.world.actions import ACTIONS
from hanlin.text.world.casting import held_out
from hanlin.text.world.entities import Actor, Item, Thing, phrase
from hanlin.text.world.grammar import grammar_of
from hanlin.text.world.lexicon import ACTORS, PLACES, THINGS
from hanlin.text.world.plots import PLOTS
from hanlin.text.world.state import Event
from hanlin.text.world.wording import FRAMES

LANGUAGES: tuple[Language, Language] = ("zh", "en")
STORIES = [generate_story(random.Random(seed)) for seed in range(1000)]


def test_the_world_is_as_large_as_promised():
    assert len(ACTORS) >= 60
    assert len(THINGS) >= 150
    assert len(PLACES) >= 40
    assert len(ACTIONS) >= 60
    assert len(PLOTS) >= 25


def test_keys_and_words_name_one_entity_each():
    entities = [*ACTORS.values(), *PLACES.values(), *THINGS.values()]
    for words in (
        [entity.key for entity in entities],
        [entity.zh for entity in entities],
        [thing.en for thing in THINGS.values()],
    ):
        assert [word for word, count in Counter(words).items() if count > 1] == []


def test_every_action_is_reachable_by_a_story():
    used = {event.name for story in STORIES for event in story.events}
    assert set(ACTIONS) - used == set()


@pytest.mark.parametrize(
    ("item", "form", "zh", "en"),
    [
        (Item(THINGS["egg"]), "new", "一个鸡蛋", "an egg"),
        (Item(THINGS["egg"], size="big"), "known", "大鸡蛋", "the big egg"),
        (Item(THINGS["apple"], colour="red", count=2), "new", "两个红苹果", "two red apples"),
        (Item(THINGS["lily"], count=3), "known", "那三朵百合", "the three lilies"),
        (
            Item(THINGS["pair_of_shoes"], colour="blue"),
            "new",
            "一双蓝鞋子",
            "a pair of blue shoes",
        ),
    ],
)
def test_phrases_have_measure_words_articles_and_plurals(item, form, zh, en):
    assert (phrase(item, form, "zh"), phrase(item, form, "en")) == (zh, en)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phrase_of_every_thing_is_found_whole(language):
    find = grammar_of(language)._finder.find
    for thing in THINGS.values():
        for look in ({}, {"size": "small"}, *({"colour": c} for c in thing.colours)):
            for count in (1, 3):
                item = Item(thing, count=count, **look)
                skeleton, found = find(phrase(item, "new", language))
                assert (skeleton, [each.entity for each in found]) == ("Ⓣ", [item])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ACTIONS)
def test_every_wording_is_read_back_as_its_own_event(name, language):
    rng = random.Random(name)
    grammar = grammar_of(language)
    for template in grammar.templates[name]:
        event = _any_event(name, rng)
        frame = FRAMES.get(template.action.kind, {language: ("",)})[language][0]
        sentence = grammar.write_sentence(event, template, frame=frame)
        reading = grammar.read(sentence, template.action.kind)
        assert reading is not None, sentence
        assert reading.event == event, sentence


def _any_event(name, rng):
    entities = []
    for role in ACTIONS[name].roles:
        pool = ACTORS if role.is_actor else PLACES if role.is_place else THINGS
        fitting = [e for e in pool.values() if not role.trait or role.trait in e.traits]
        entity = rng.choice([e for e in fitting if e not in entities])
        entities.append(Item(entity, size="big") if isinstance(entity, Thing) else entity)
    return Event(name, tuple(entities))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_checker_accepts_what_the_generator_makes(language):
    for story in STORIES:
        text = story.text(language)
        verdict = check(text, language)
        assert verdict.problems == (), text
        assert verdict.well_formed and verdict.consistent
        assert verdict.structure == story.structure
        assert verdict.state_dependent == story.state_dependent
        assert verdict.sentences == len(story.events)


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_checker_accepts_many_thousands_of_stories(language):
    rng = random.Random(language)
    for split in ("train", "heldout"):
        for _ in range(10_000):
            story = generate_story(rng, split=split)
            assert check(story.text(language), language).structure == story.structure


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**63), st.sampled_from(["train", "heldout"]), st.sampled_from(LANGUAGES))
def test_any_seed_gives_a_consistent_story_and_always_the_same(seed, split, language):
    story = generate_story(random.Random(seed), split=split)
    again = generate_story(random.Random(seed), split=split)
    assert story == again
    assert story.text(language) == again.text(language)
    assert check(story.text(language), language).consistent


def test_stories_are_short_varied_and_depend_on_their_state():
    lengths = [len(story.events) for story in STORIES]
    assert min(lengths) >= 3 and max(lengths) <= 12
    assert 5.5 <= mean(lengths) <= 6.7
    assert mean(story.state_dependent for story in STORIES) >= 0.5
    assert len({story.structure for story in STORIES}) >= 0.99 * len(STORIES)
    assert len({tuple(event.name for event in story.events) for story in STORIES}) > 400


def test_both_languages_tell_of_the_same_time_of_day():
    for story in STORIES[:300]:
        starts = {
            language: [
                story.text(language).startswith(frame) for frame in FRAMES["opening"][language]
            ]
            for language in LANGUAGES
        }
        assert starts["zh"] == starts["en"]


def test_a_story_needs_few_entities():
    for story in STORIES:
        entities = {entity for event in story.events for entity in event.entities}
        assert sum(isinstance(entity, Actor) for entity in entities) <= 3
        assert sum(isinstance(entity, Item) for entity in entities) <= 4


def test_training_stories_hold_no_held_out_pair_and_held_out_stories_do():
    assert all(held_out(story.events) == () for story in STORIES)
    rng = random.Random(0)
    assert all(held_out(generate_story(rng, split="heldout").events) for _ in range(100))


def test_written_stories_are_deterministic_and_not_parallel():
    config = WorldConfig(stories=40, seed=5)
    written = list(write_stories(config))
    assert written == list(write_stories(config))
    assert written != list(write_stories(WorldConfig(stories=40, seed=6)))
    assert Counter(language for _, language in written) == {"zh-Hans": 40, "en": 40}
    structures = {
        tag: {
            check(text, "en" if tag == "en" else "zh").structure
            for text, at in written
            if at == tag
        }
        for tag in ("zh-Hans", "en")
    }
    assert not structures["zh-Hans"] & structures["en"]


@pytest.mark.parametrize("form", ["stories", "questions"])
def test_stories_are_the_same_from_one_process_and_from_two(form: str):
    config = WorldConfig.model_validate({"stories": 150, "seed": 3, "form": form, "facts": 2})
    alone = list(write_stories(config, processes=1))
    assert len(alone) == 300
    assert list(write_stories(config, processes=2)) == alone


def test_one_language_alone_writes_the_same_stories_as_beside_another():
    both = [text for text, tag in write_stories(WorldConfig(stories=20)) if tag == "en"]
    alone = [text for text, _ in write_stories(WorldConfig(stories=20, languages=("en",)))]
    assert alone == both


def test_the_module_prints_a_story():
    command = [sys.executable, "-m", "hanlin.text.world", "--seed", "3"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "The world has" in printed
    assert generate_story(random.Random(3)).text("zh") in printed
