"""Sentences about anyone and anything, in both languages: words that stories seldom use.

    wide_sentences(random.Random(3))   # {"zh": "…", "en": "…"}

Stories draw few names again and again, as real texts do. A model that has to learn what every word
is in the other language meets the rare ones too seldom there. Here each action, actor, thing and
place is as likely as any other that fits; no actor meets a thing that training keeps apart.

    python -m hanlin.text.world.wide
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from hanlin.text.world.actions import ACTIONS, Role
from hanlin.text.world.casting import dress, held_out
from hanlin.text.world.entities import Actor, Entity, Language, Place, Thing
from hanlin.text.world.grammar import grammar_of
from hanlin.text.world.lexicon import ACTORS, PLACES, THINGS
from hanlin.text.world.state import Event

__all__ = ["wide_sentences"]

_MIDDLES = tuple(action for action in ACTIONS.values() if action.kind == "middle")


def wide_sentences(rng: random.Random) -> dict[Language, str]:
    """Return one event that could stand in the middle of a story, told in both languages alike."""
    while True:
        action = rng.choice(_MIDDLES)
        event = Event(action.name, tuple(_draw(role, rng) for role in action.roles))
        if len({entity.key for entity in event.entities}) < len(event.entities):
            continue
        if not held_out((event,)):
            break
    zh, en = (grammar_of(language).templates[event.name] for language in ("zh", "en"))
    # Where both have as many wordings, these correspond in order; the first ones always do.
    number = rng.randrange(len(zh)) if len(zh) == len(en) else 0
    return {
        "zh": grammar_of("zh").write_sentence(event, zh[number]),
        "en": grammar_of("en").write_sentence(event, en[number]),
    }


def _draw(role: Role, rng: random.Random) -> Entity:
    pool: Mapping[str, Actor | Place | Thing] = THINGS
    if role.is_actor or role.is_place:
        pool = ACTORS if role.is_actor else PLACES
    chosen = rng.choice([e for e in pool.values() if not role.trait or role.trait in e.traits])
    return dress(chosen, rng) if isinstance(chosen, Thing) else chosen


if __name__ == "__main__":
    print(*wide_sentences(random.Random(3)).values())
