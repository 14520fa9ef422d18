from __future__ import annotations

import random

from hanlin.text.world import Language, wide_sentences, wide_texts
from hanlin.text.world.casting import held_out
from hanlin.text.world.entities import Actor
from hanlin.text.world.grammar import grammar_of
from hanlin.text.world.lexicon import THINGS
from hanlin.text.world.state import Event


def test_both_languages_tell_the_same_event_and_no_pair_that_training_keeps_apart() -> None:
    rng = random.Random(1)
    for _ in range(300):
        told = wide_sentences(rng)
        zh, en = (grammar_of(each).read(text, "middle") for each, text in told.items())
        assert zh is not None and en is not None, told
        assert zh.event == en.event
        assert not held_out((zh.event,))


def test_rare_things_are_as_likely_as_common_ones() -> None:
    rng = random.Random(2)
    told = " ".join(wide_sentences(rng)["zh"] for _ in range(3000))
    named = [thing for thing in THINGS.values() if thing.zh in told]
    assert len(named) > 0.98 * len(THINGS)


def test_a_text_has_the_same_events_in_both_languages_and_a_small_cast() -> None:
    rng = random.Random(3)
    named, told = 0, 0
    for _ in range(60):
        text = wide_texts(rng, 6)
        zh, en = (_events(text[language], language) for language in ("zh", "en"))
        assert zh == en
        assert len(zh) == 6
        assert not held_out(zh)
        entities = [entity for event in zh for entity in event.entities]
        named, told = named + len(set(entities)), told + len(entities)
    assert named < 0.7 * told


def _events(text: str, language: Language) -> list[Event]:
    """Return what a text tells, each sentence read behind those before it."""
    grammar = grammar_of(language)
    events: list[Event] = []
    actors: tuple[Actor, ...] = ()
    cast: tuple[Actor, ...] = ()
    for sentence in grammar.split(text):
        reading = grammar.read(sentence, "middle", actors, cast)
        assert reading is not None, sentence
        events.append(reading.event)
        actors, cast = reading.actors, (*cast, *reading.actors)
    return events
