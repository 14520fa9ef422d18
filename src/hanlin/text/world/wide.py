"""Sentences about anyone and anything, in both languages: words that stories seldom use.

    wide_sentences(random.Random(3))   # {"zh": "…", "en": "…"}
    wide_texts(random.Random(3), 5)    # the same, five sentences about a small cast

Stories draw few names again and again, as real texts do. A model that has to learn what every word
is in the other language meets the rare ones too seldom there. Here each action, actor, thing and
place is as likely as any other that fits; no actor meets a thing that training keeps apart.

A text of several such sentences has no plot: what comes next can be read, and never be guessed.
Few take part in it, as in a story, so that names alone do not tell its sentences apart.

    python -m hanlin.text.world.wide
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from hanlin.text.world.actions import ACTIONS, Role
from hanlin.text.world.casting import dress, held_out
from hanlin.text.world.entities import Actor, Entity, Item, Language, Place, Thing
from hanlin.text.world.grammar import grammar_of
from hanlin.text.world.lexicon import ACTORS, PLACES, THINGS
from hanlin.text.world.state import Event

__all__ = ["wide_sentences", "wide_texts"]

_MIDDLES = tuple(action for action in ACTIONS.values() if action.kind == "middle")
_KNOWN_SHARE = 0.75
"""How often an event of a text takes up who or what the text has named, where that fits."""


def wide_sentences(rng: random.Random) -> dict[Language, str]:
    """Return one event that could stand in the middle of a story, told in both languages alike."""
    event = _invent((), rng)
    zh, en = (grammar_of(language).templates[event.name] for language in ("zh", "en"))
    # Where both have as many wordings, these correspond in order; the first ones always do.
    number = rng.randrange(len(zh)) if len(zh) == len(en) else 0
    return {
        "zh": grammar_of("zh").write_sentence(event, zh[number]),
        "en": grammar_of("en").write_sentence(event, en[number]),
    }


def wide_texts(rng: random.Random, sentences: int) -> dict[Language, str]:
    """Return some events about a small cast that have no plot, told in both languages alike."""
    events: list[Event] = []
    for _ in range(sentences):
        events.append(_invent(events, rng))
    wording = rng.getrandbits(32)
    return {
        "zh": grammar_of("zh").write(events, wording),
        "en": grammar_of("en").write(events, wording),
    }


def _invent(before: Sequence[Event], rng: random.Random) -> Event:
    """Return an event that could stand in the middle of a story, behind some others."""
    known = tuple(dict.fromkeys(entity for event in before for entity in event.entities))
    while True:
        action = rng.choice(_MIDDLES)
        event = Event(action.name, tuple(_draw(role, known, rng) for role in action.roles))
        if len({entity.key for entity in event.entities}) < len(event.entities):
            continue
        if not held_out((*before, event)):
            return event


def _draw(role: Role, known: Sequence[Entity], rng: random.Random) -> Entity:
    kind: type[Entity] = Actor if role.is_actor else Place if role.is_place else Item
    named = [
        entity
        for entity in known
        if isinstance(entity, kind) and (not role.trait or role.trait in entity.traits)
    ]
    if named and rng.random() < _KNOWN_SHARE:
        return rng.choice(named)
    pool: Mapping[str, Actor | Place | Thing] = THINGS
    if role.is_actor or role.is_place:
        pool = ACTORS if role.is_actor else PLACES
    chosen = rng.choice([e for e in pool.values() if not role.trait or role.trait in e.traits])
    return dress(chosen, rng) if isinstance(chosen, Thing) else chosen


if __name__ == "__main__":
    print(*wide_sentences(random.Random(3)).values())
    print(*wide_texts(random.Random(3), 5).values(), sep="\n")
