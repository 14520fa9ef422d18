"""What an agent offers beside its words: choices where it asks, related questions where it answers.

Choices are of the kind that is missing, the right one among them, since the agent cannot know it.
Related questions speak of what the request speaks of. Neither lets an actor and a thing meet that
training keeps apart.

    python -m hanlin.text.world --seed 3
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from itertools import islice

from hanlin.text.world.casting import is_held_out
from hanlin.text.world.entities import Actor, Entity, Item, Language, Place, phrase
from hanlin.text.world.lexicon import ACTORS, PLACES, THINGS
from hanlin.text.world.requests import FRAMES, Missing, Request, choose_missing, make_request

__all__ = ["are_choices", "choices", "related", "wide_request"]

_OTHERS = 2
_COLOURED = 0.5
_RELATED: dict[Missing, tuple[tuple[str, str], ...]] = {
    "who": (("{}还想要什么？", "What else does {} want?"), ("{}在哪里？", "Where is {}?")),
    "what": (("还有谁想要{}？", "Who else wants {}?"), ("谁有{}？", "Who has {}?")),
    "where": (("{}还有谁？", "Who else is {}?"), ("{}还有什么？", "What else is {}?")),
}


def wide_request(language: Language, rng: random.Random) -> Request:
    """Return a request about anyone and anything, each as likely as any other.

    Stories draw a few names again and again, so that a model does well by saying the common ones;
    from these it can only learn to take up what was said. English prepositions are evened out too:
    most places have `in`, which a model would otherwise say before any.
    """
    prepositions = sorted({place.preposition for place in PLACES.values()})
    while True:
        item = Item(rng.choice(list(THINGS.values())))
        if item.thing.colours and rng.random() < _COLOURED:
            item = item.changed(colour=rng.choice(item.thing.colours))
        cast: dict[str, Entity] = {
            "b": rng.choice(list(ACTORS.values())),
            "x": item,
            "p": rng.choice(_places_with(rng.choice(prepositions))),
        }
        if not _kept_apart(cast["b"], item):
            frame = rng.choice(FRAMES)
            return make_request(frame, cast, choose_missing(frame, rng), language)


def choices(request: Request, language: Language, rng: random.Random) -> tuple[str, ...]:
    """Return the missing fact among others of its kind; none where nothing is missing."""
    if request.missing is None:
        return ()
    about = [entity for entity in request.about if not isinstance(entity, Place)]
    pool = [
        entity
        for entity in _of_kind(request.missing)
        if not any(_kept_apart(entity, other) for other in about)
    ]
    words = (_word(entity, language) for entity in rng.sample(pool, len(pool)))
    others = (word for word in words if word != request.fact)
    found = [request.fact, *islice(others, _OTHERS)]
    rng.shuffle(found)
    return tuple(found)


def related(request: Request, language: Language, rng: random.Random) -> tuple[str, ...]:
    """Return a question about each thing that a request speaks of, two or three in all."""
    index = 0 if language == "zh" else 1
    return tuple(
        rng.choice(_RELATED[_kind(entity)])[index].format(_word(entity, language))
        for entity in request.about
    )


def are_choices(words: Sequence[str], missing: Missing, language: Language) -> bool:
    """Whether words are two or more different facts of a kind; how an item looks may vary."""
    ends = tuple(end for entity in _of_kind(missing) for end in _ends(entity, language))
    return len(words) > 1 and len(set(words)) == len(words) and all(w.endswith(ends) for w in words)


def _ends(entity: Entity, language: Language) -> tuple[str, ...]:
    """Return what the words for an entity end with, in either number."""
    if not isinstance(entity, Item):
        return (_word(entity, language),)
    if language == "zh":
        return (entity.thing.zh,)
    return entity.thing.en.split("}")[-1], entity.thing.plural.split("}")[-1]


def _places_with(preposition: str) -> list[Place]:
    return [place for place in PLACES.values() if place.preposition == preposition]


@cache
def _of_kind(missing: Missing) -> tuple[Entity, ...]:
    if missing == "who":
        return tuple(ACTORS.values())
    if missing == "where":
        return tuple(PLACES.values())
    return tuple(Item(thing) for thing in THINGS.values())


def _kind(entity: Entity) -> Missing:
    if isinstance(entity, Actor):
        return "who"
    return "what" if isinstance(entity, Item) else "where"


def _kept_apart(one: Entity, other: Entity) -> bool:
    pair = (one, other) if isinstance(one, Actor) else (other, one)
    if not (isinstance(pair[0], Actor) and isinstance(pair[1], Item)):
        return False
    return is_held_out(pair[0].key, pair[1].key)


def _word(entity: Entity, language: Language) -> str:
    return phrase(entity, "at" if _kind(entity) == "where" else "known", language)
