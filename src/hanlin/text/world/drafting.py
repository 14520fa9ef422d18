"""Draft a story: cast a plot, take its steps, and let the state decide what is possible.

A draft never writes an event that the state forbids: a plot that cannot go on is given up.

    python -m hanlin.text.world --seed 3
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Literal, TypeVar
from zlib import crc32

from hanlin.text.world.actions import ACTIONS, Role
from hanlin.text.world.entities import Actor, Entity, Item, Place, Thing
from hanlin.text.world.lexicon import ACTORS, PLACES, THINGS
from hanlin.text.world.plots import Plot, Step
from hanlin.text.world.state import Event, State

__all__ = ["Draft", "Split", "StuckError", "held_out"]

Split = Literal["train", "heldout"]
T = TypeVar("T")

MAX_ACTORS = 3
MAX_ITEMS = 4
OPTIONAL_SHARE = 0.3
HELD_OUT_SHARE = 10
"""One pair of an actor and a thing in so many is held out."""


class StuckError(Exception):
    """A plot cannot go on from here; the draft is taken back."""


def held_out(events: Sequence[Event]) -> frozenset[tuple[str, str]]:
    """Return the held-out pairs of an actor and a thing that meet in a story."""
    entities = {entity for event in events for entity in event.entities}
    actors = sorted(entity.key for entity in entities if isinstance(entity, Actor))
    things = sorted({entity.key for entity in entities if isinstance(entity, Item)})
    return frozenset((a, x) for a in actors for x in things if is_held_out(a, x))


@cache
def is_held_out(actor: str, thing: str) -> bool:
    """Whether this pair is kept out of the training stories; the same on every machine."""
    return crc32(f"{actor}+{thing}".encode()) % HELD_OUT_SHARE == 0


class Draft:
    """A story in the making."""

    def __init__(self, rng: random.Random, split: Split) -> None:
        """Start with an empty page."""
        self.rng = rng
        self.split = split
        self.state = State()
        self.events: list[Event] = []
        self.core: list[int] = []
        self.actors: list[Actor] = []
        self._cast: dict[str, Entity] = {}
        self._traits: dict[str, str] = {}

    def play(self, plot: Plot) -> None:
        """Append a plot's events; raise `StuckError` if it cannot be told from here."""
        self._traits = plot.traits
        self._cast = self._recast()
        for index, step in enumerate(plot.steps):
            move = self.rng.choice(step.moves)
            if not self.events:
                self._begin(move, plot.steps[1].moves[0])
            elif index == 0:
                self._go_where_it_can_be()
            self._take(step, move)

    def end(self) -> None:
        """Append an ending that the state allows."""
        options = [event for event in self._endings() if self.state.allows(event)]
        if not options:
            raise StuckError("no ending fits")
        self._happen(self.rng.choice(options))

    # The steps of a plot.

    def _take(self, step: Step, move: tuple[str, ...]) -> None:
        if step.optional and self.rng.random() >= OPTIONAL_SHARE:
            return
        length = len(self.events)
        try:
            self._move(*move)
        except StuckError:
            if not step.optional:
                raise
        if step.core and len(self.events) > length:
            self.core.append(len(self.events) - 1)

    def _move(self, verb: str, *letters: str) -> None:
        match verb:
            case "HAVE":
                self._have(*letters)
            case "WITH":
                self._with(*letters)
            case "BRING":
                self._bring(*letters)
            case "SEE":
                self._add("see", *letters, "p")
            case "USE":
                self._use(*letters)
            case _:
                self._add(verb, *letters)

    def _begin(self, move: tuple[str, ...], after: tuple[str, ...]) -> None:
        """Open the story so that it leads over to its first steps."""
        self._cast["p"] = self._cast["o"] = self._new_place(self._traits.get("p", ""))
        way = self.rng.random()
        if move[0] == "HAVE" and after[0] == "WITH" and way < 0.45:
            self._add("be_meeting", "a", "x", "p", "b")
        elif move[0] == "HAVE" and way < 0.9:
            self._add("be_with", "a", "p", "x")
        elif move[0] == "WITH" and way < 0.7:
            self._add("be_together", "a", "b", "p")
        else:
            self._add("be_at", "a", "p")

    def _go_where_it_can_be(self) -> None:
        """Move the actors of a later plot to a place that it can happen at."""
        trait = self._traits.get("p", "")
        actor = self._cast["a"]
        here = PLACES.get(self.state.get(actor.key, "place"))
        if here is None:
            raise StuckError("the actor has gone home")
        self._cast["o"] = here
        if trait and trait not in here.traits:
            self._cast["q"] = self._new_place(trait)
            self._add("go", "a", "q")
            self._cast["o"] = self._cast.pop("q")

    def _have(self, actor: str, item: str) -> None:
        if item not in self._cast:
            self._find_in_hand(actor, item)
        if item in self._cast and self._held_by(item) == self._cast[actor].key:
            return
        if item in self._cast:
            raise StuckError("someone else has it")
        shop = "shop" in self._place_of(actor).traits
        way = self.rng.choice(("see", "own", "buy") if shop else ("see", "own", "own"))
        if way != "see":
            self._add(way, actor, item, *(("p",) if way == "buy" else ()))
            return
        self._add("see", actor, item, "p")
        self._add("pick_up", actor, item)

    def _with(self, actor: str, other: str) -> None:
        if other not in self._cast:
            way = self.rng.choice(("join", "meet"))
            self._add(way, *((other, "p") if way == "join" else (actor, other, "p")))
            return
        if self._place_of(actor) is not self._place_of(other):
            self._cast["w"] = self._place_of(actor)
            self._add("go", other, "w")

    def _bring(self, actor: str, item: str) -> None:
        if actor not in self._cast:
            self._add("join_with", actor, "p", item)
            return
        self._with("a", actor)
        if item not in self._cast:
            self._find_in_hand(actor, item)
        if item not in self._cast:
            self._add("own", actor, item)
        if self._held_by(item) != self._cast[actor].key:
            raise StuckError("someone else has it")

    def _use(self, actor: str, item: str) -> None:
        traits = self._cast[item].traits
        for trait, verbs in _USES:
            if trait in traits:
                for verb in verbs:
                    thing = (item,) if len(ACTIONS[verb].roles) > 1 else ()
                    self._add(verb, actor, *thing)
                return

    # Casting.

    def _add(self, verb: str, *letters: str) -> None:
        """Let an action happen, casting whoever is still missing."""
        roles = ACTIONS[verb].roles
        first = letters[0]
        entities = tuple(
            self._entity(letter, role, first) for letter, role in zip(letters, roles, strict=True)
        )
        event = Event(verb, entities)
        if not self.state.allows(event):
            raise StuckError(verb)
        self._happen(event)

    def _happen(self, event: Event) -> None:
        self.state.apply(event)
        self.events.append(event)

    def _entity(self, letter: str, role: Role, first: str) -> Entity:
        if letter == "p" and self.events:
            return self._scene(first)
        if letter in self._cast:
            return self._cast[letter]
        trait = self._traits.get(letter, role.trait)
        entity: Entity
        if role.is_actor:
            entity = self._new_actor(trait)
        elif role.is_place:
            entity = self._new_place(trait)
        else:
            entity = self._new_item(trait or "portable")
        self._cast[letter] = entity
        return entity

    def _scene(self, first: str) -> Place:
        """Return where a step happens: at its first actor's place, or where the last one was."""
        here = self.state.get("", "here")
        key = self._cast[first].key if first in self._cast else ""
        place = PLACES.get(self.state.values.get((key, "place"), here))
        if place is None:
            raise StuckError("nowhere")
        return place

    def _place_of(self, letter: str) -> Place:
        return self._scene(letter)

    def _held_by(self, item: str) -> str:
        return self.state.get(self._cast[item].key, "where")

    def _find_in_hand(self, actor: str, item: str) -> None:
        """Cast something of the right kind that the actor already holds."""
        trait = self._traits.get(item, "portable")
        taken = {entity.key for entity in self._cast.values()}
        for held in self.state.items.values():
            if held.key in taken or trait not in held.traits:
                continue
            if self.state.get(held.key, "where") == self._cast[actor].key:
                self._cast[item] = held
                return

    def _recast(self) -> dict[str, Entity]:
        """Give the roles of a plot to the actors of the story so far, in any order."""
        actors = self.actors.copy()
        self.rng.shuffle(actors)
        cast: dict[str, Entity] = {}
        for letter in ("a", "b"):
            trait = self._traits.get(letter, "")
            fit = next((actor for actor in actors if not trait or trait in actor.traits), None)
            if fit is None:
                continue
            cast[letter] = fit
            actors.remove(fit)
        if (actors and not cast) or (self.actors and "a" not in cast):
            raise StuckError("nobody fits the part")
        return cast

    def _new_actor(self, trait: str) -> Actor:
        if len(self.actors) >= MAX_ACTORS:
            raise StuckError("too many actors")
        things = list(self.state.items)
        for actor in self._draw(_actors_with(trait)):
            if actor not in self.actors and self._may_meet([actor.key], things):
                self.actors.append(actor)
                return actor
        raise StuckError("no actor fits")

    def _new_item(self, trait: str) -> Item:
        if len(self.state.items) >= MAX_ITEMS:
            raise StuckError("too many things")
        actors = [actor.key for actor in self.actors]
        cast = {entity.key for entity in self._cast.values()}
        for thing in self._draw(_things_with(trait)):
            fresh = thing.key not in self.state.items and thing.key not in cast
            if fresh and self._may_meet(actors, [thing.key]):
                return self._dress(thing)
        raise StuckError("no thing fits")

    def _new_place(self, trait: str) -> Place:
        here = self.state.get("", "here")
        return next(place for place in self._draw(_places_with(trait)) if place.key != here)

    def _dress(self, thing: Thing) -> Item:
        """Give a thing its colour or size, and its count."""
        rng = self.rng
        count = rng.randint(2, 5) if "many" in thing.traits and rng.random() < 0.4 else 1
        look = rng.random()
        if look < 0.6 and thing.colours:
            return Item(thing, colour=rng.choice(thing.colours), count=count)
        if look > 0.75 and "drink" not in thing.traits:
            return Item(thing, size=rng.choice(("big", "small")), count=count)
        return Item(thing, count=count)

    def _draw(self, pool: Sequence[T]) -> Iterator[T]:
        """Yield from a pool at random, with repeats, for as long as it is worth trying."""
        for _ in range(50):
            yield self.rng.choice(pool)

    def _may_meet(self, actors: Sequence[str], things: Sequence[str]) -> bool:
        if self.split == "heldout":
            return True
        return not any(is_held_out(actor, thing) for actor in actors for thing in things)

    def _endings(self) -> Iterator[Event]:
        for actor in self.actors:
            yield Event("go_home", (actor,))
            for other in self.actors:
                if other is not actor:
                    yield Event("go_home_two", (actor, other))
                    yield Event("all_happy", (actor, other))
                    yield Event("become_friends", (actor, other))
        for item in self.state.items.values():
            holder = self.state.get(item.key, "where")
            if holder in ACTORS:
                yield Event("take_home", (ACTORS[holder], item))
                yield Event("keep", (ACTORS[holder], item))
            elif holder in PLACES:
                yield Event("stay_at", (item, PLACES[holder]))
            elif holder in self.state.items:
                yield Event("stay_in", (item, self.state.items[holder]))


_USES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("toy", ("play",)),
    ("book", ("read",)),
    ("clothes", ("wear",)),
    ("headwear", ("put_on",)),
    ("instrument", ("perform",)),
    ("food", ("be_hungry", "eat")),
    ("drink", ("be_thirsty", "drink")),
    ("light", ("be_dark", "light")),
)


@cache
def _actors_with(trait: str) -> tuple[Actor, ...]:
    return tuple(actor for actor in ACTORS.values() if not trait or trait in actor.traits)


@cache
def _things_with(trait: str) -> tuple[Thing, ...]:
    return tuple(thing for thing in THINGS.values() if trait in thing.traits)


@cache
def _places_with(trait: str) -> tuple[Place, ...]:
    return tuple(place for place in PLACES.values() if not trait or trait in place.traits)
