"""Choose who and what a story is about, and keep the held-out pairs apart.

A pair of an actor and a thing is held out by a hash of their keys, so that the same pairs are held
out on every machine and for every seed.

    python -m hanlin.text.world --seed 3
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import accumulate
from typing import Literal, TypeVar
from zlib import crc32

from hanlin.text.world.entities import Actor, Item, Place, Thing
from hanlin.text.world.lexicon import ACTORS, PLACES, THINGS
from hanlin.text.world.state import Event

__all__ = [
    "Casting",
    "Split",
    "StuckError",
    "cumulative_weights",
    "dress",
    "held_out",
    "is_held_out",
]

Split = Literal["train", "heldout"]
T = TypeVar("T")

MAX_ACTORS, MAX_ITEMS = 3, 4
HELD_OUT_SHARE = 10
"""One pair of an actor and a thing in so many is held out."""
COLOUR_SHARE, SIZE_SHARE, NUMBER_SHARE = 0.35, 0.15, 0.25
CONTRAST_SHARE = 0.95
RANK_OFFSET, EXPONENT = 1.0, 1.6


class StuckError(Exception):
    """A plot cannot go on from here; it never leaves the generator."""


@cache
def cumulative_weights(
    size: int, offset: float = RANK_OFFSET, exponent: float = EXPONENT
) -> tuple[float, ...]:
    """Return Zipf-like weights, summed up: the first of a pool come up most often.

    As in real language, a small model then meets most of what it reads again and again.
    """
    return tuple(accumulate((offset + rank) ** -exponent for rank in range(1, size + 1)))


@cache
def is_held_out(actor: str, thing: str) -> bool:
    """Whether this pair is kept out of the training stories."""
    return crc32(f"{actor}+{thing}".encode()) % HELD_OUT_SHARE == 0


def held_out(events: Sequence[Event]) -> tuple[tuple[str, str], ...]:
    """Return the held-out pairs of an actor and a thing that meet in a story."""
    entities = dict.fromkeys(entity for event in events for entity in event.entities)
    actors = [entity.key for entity in entities if isinstance(entity, Actor)]
    things = dict.fromkeys(entity.key for entity in entities if isinstance(entity, Item))
    return tuple((actor, x) for actor in actors for x in things if is_held_out(actor, x))


def dress(thing: Thing, rng: random.Random) -> Item:
    """Say how a thing looks in one story, and how many there are of it."""
    numbered = "many" in thing.traits and rng.random() < NUMBER_SHARE
    count = rng.randint(2, 5) if numbered else 1
    look = rng.random()
    if look < COLOUR_SHARE and thing.colours:
        return Item(thing, colour=rng.choice(thing.colours), count=count)
    if look > 1 - SIZE_SHARE and "drink" not in thing.traits:
        return Item(thing, size=rng.choice(("big", "small")), count=count)
    return Item(thing, count=count)


class Casting:
    """Draws the actors, things and places of one story."""

    def __init__(self, rng: random.Random, split: Split) -> None:
        """Start with nobody and nothing."""
        self.actors: list[Actor] = []
        self.things: list[Thing] = []
        self._rng = rng
        self._split = split

    def actor(self, trait: str) -> Actor:
        """Draw an actor whom the story does not know."""
        if len(self.actors) >= MAX_ACTORS:
            raise StuckError("the story has enough actors")
        for actor in self._draw(_actors_with(trait or self._contrast())):
            if actor not in self.actors and self._may_meet([actor], self.things):
                self.actors.append(actor)
                return actor
        raise StuckError("no actor fits")

    def item(self, trait: str) -> Item:
        """Draw a thing that the story does not know, and say how it looks."""
        if len(self.things) >= MAX_ITEMS:
            raise StuckError("the story has enough things")
        for thing in self._draw(_things_with(trait)):
            if thing not in self.things and self._may_meet(self.actors, [thing]):
                self.things.append(thing)
                return dress(thing, self._rng)
        raise StuckError("no thing fits")

    def place(self, trait: str, *, other_than: str = "") -> Place:
        """Draw a place other than the one of this key."""
        places = _places_with(trait)
        return next(place for place in self._draw(places) if place.key != other_than)

    def _contrast(self) -> str:
        """Return the trait that tells a newcomer from the first actor, at most times.

        A person and an animal are hard to mistake for each other, and their pronouns differ.
        """
        if not self.actors or self._rng.random() >= CONTRAST_SHARE:
            return ""
        return "person" if "animal" in self.actors[0].traits else "animal"

    def _draw(self, pool: Sequence[T]) -> Iterator[T]:
        """Yield from a pool at random, with repeats, for as long as it is worth trying."""
        weights = cumulative_weights(len(pool))
        for _ in range(50):
            yield self._rng.choices(pool, cum_weights=weights)[0]

    def _may_meet(self, actors: Iterable[Actor], things: Sequence[Thing]) -> bool:
        if self._split == "heldout":
            return True
        return not any(is_held_out(actor.key, thing.key) for actor in actors for thing in things)


@cache
def _actors_with(trait: str) -> tuple[Actor, ...]:
    return tuple(actor for actor in ACTORS.values() if not trait or trait in actor.traits)


@cache
def _things_with(trait: str) -> tuple[Thing, ...]:
    return tuple(thing for thing in THINGS.values() if trait in thing.traits)


@cache
def _places_with(trait: str) -> tuple[Place, ...]:
    return tuple(place for place in PLACES.values() if not trait or trait in place.traits)
