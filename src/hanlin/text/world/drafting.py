"""Draft a story: cast a plot, take its steps, and let the state decide what is possible.

A draft never writes an event that the state forbids: a plot that cannot go on is given up.

    python -m hanlin.text.world --seed 3
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from hanlin.text.world.actions import ACTIONS, Role
from hanlin.text.world.casting import Casting, Split, StuckError
from hanlin.text.world.entities import Entity, Place
from hanlin.text.world.lexicon import ACTORS, PLACES
from hanlin.text.world.plots import Plot, Step
from hanlin.text.world.state import Event, State

__all__ = ["Draft"]

OPTIONAL_SHARE = 0.25
"""How often an optional step is taken."""
_USES: dict[str, tuple[str, ...]] = {
    "toy": ("play",),
    "book": ("read",),
    "clothes": ("wear",),
    "headwear": ("put_on",),
    "instrument": ("perform",),
    "food": ("be_hungry", "eat"),
    "drink": ("be_thirsty", "drink"),
    "light": ("be_dark", "light"),
}
"""What one does with a thing of each trait."""


class Draft:
    """A story in the making."""

    def __init__(self, rng: random.Random, split: Split) -> None:
        """Start with an empty page."""
        self.events: list[Event] = []
        self.core: list[int] = []
        """The events that the summary is about."""
        self._rng = rng
        self._state = State()
        self._casting = Casting(rng, split)
        self._cast: dict[str, Entity] = {}
        self._traits: dict[str, str] = {}

    def play(self, plot: Plot) -> None:
        """Append a plot's events; raise `StuckError` if it cannot be told from here."""
        self._traits = plot.traits
        self._cast = self._recast()
        for step in plot.steps:
            move = self._rng.choice(step.moves)
            if not self.events:
                self._begin(move, plot.steps[1].moves[0])
            elif step is plot.steps[0]:
                self._go_where_it_can_be()
            self._take(step, move)

    def end(self) -> None:
        """Append an ending that the state allows."""
        options = [event for event in self._endings() if self._state.allows(event)]
        if not options:
            raise StuckError("no ending fits")
        self._happen(self._rng.choice(options))

    # ---- The steps of a plot

    def _take(self, step: Step, move: tuple[str, ...]) -> None:
        if step.optional and self._rng.random() >= OPTIONAL_SHARE:
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
                self._add("see", *letters)
            case "USE":
                self._use(*letters)
            case _:
                self._add(verb, *letters)

    def _begin(self, move: tuple[str, ...], after: tuple[str, ...]) -> None:
        """Open the story so that it leads over to its first steps."""
        self._cast["p"] = self._cast["o"] = self._casting.place(self._traits.get("p", ""))
        way = self._rng.random()
        if move[0] == "HAVE" and after[0] == "WITH" and way < 0.45:
            self._add("be_meeting", "a", "x", "p", "b")
        elif move[0] == "HAVE" and way < 0.9:
            self._add("be_with", "a", "p", "x")
        elif move[0] == "WITH" and way < 0.7:
            self._add("be_together", "a", "b", "p")
        else:
            self._add("be_at", "a", "p")

    def _go_where_it_can_be(self) -> None:
        """Move the first actor of a later plot to a place that it can happen at."""
        trait = self._traits.get("p", "")
        here = self._cast["o"] = self._place_of("a")
        if trait and trait not in here.traits:
            self._cast["o"] = self._cast["w"] = self._casting.place(trait, other_than=here.key)
            self._add("go", "a", "w")

    def _have(self, actor: str, item: str) -> None:
        """Let an actor hold an item; one that the plot does not know yet is found or bought."""
        if item not in self._cast:
            self._find_in_hand(actor, item)
        if item in self._cast:
            self._must_hold(actor, item)
            return
        shop = "shop" in self._place_of(actor).traits
        way = self._rng.choice(("see", "own", "buy") if shop else ("see", "own", "own"))
        if way == "see":
            self._add("see", actor, item)
            self._add("pick_up", actor, item)
        else:
            self._add(way, actor, item, *(("p",) if way == "buy" else ()))

    def _with(self, actor: str, other: str) -> None:
        """Let another actor be where an actor is."""
        if other in self._cast:
            self._cast["w"] = self._place_of(actor)
            if self._place_of(other) is not self._cast["w"]:
                self._add("go", other, "w")
        elif self._rng.random() < 0.5:
            self._add("join", other)
        else:
            self._add("meet", actor, other)

    def _bring(self, actor: str, item: str) -> None:
        """Let an actor come to the scene with an item, or have one if already there."""
        if actor not in self._cast:
            self._add("join_with", actor, item)
            return
        self._with("a", actor)
        if item not in self._cast:
            self._find_in_hand(actor, item)
        if item not in self._cast:
            self._add("own", actor, item)
        self._must_hold(actor, item)

    def _use(self, actor: str, item: str) -> None:
        """Let an actor do with an item what it is for."""
        traits = self._cast[item].traits
        for verb in next((verbs for trait, verbs in _USES.items() if trait in traits), ()):
            self._add(verb, *(actor, item)[: len(ACTIONS[verb].roles)])

    # ---- Events and their cast

    def _add(self, verb: str, *letters: str) -> None:
        """Let an action happen, casting whoever is still missing."""
        roles = zip(letters, ACTIONS[verb].roles, strict=True)
        entities = tuple(self._entity(letter, role, letters[0]) for letter, role in roles)
        event = Event(verb, entities)
        if not self._state.allows(event):
            raise StuckError(f"the state forbids {verb}")
        self._happen(event)

    def _happen(self, event: Event) -> None:
        self._state.apply(event)
        self.events.append(event)

    def _entity(self, letter: str, role: Role, first: str) -> Entity:
        if letter == "p" and self.events:
            return self._place_of(first)
        if letter not in self._cast:
            self._cast[letter] = self._new(role, self._traits.get(letter, role.trait))
        return self._cast[letter]

    def _new(self, role: Role, trait: str) -> Entity:
        if role.is_actor:
            return self._casting.actor(trait)
        if role.is_place:
            return self._casting.place(trait, other_than=self._state.get("", "here"))
        return self._casting.item(trait or "portable")

    def _place_of(self, letter: str) -> Place:
        """Return where an actor is; for one who is still to come, where the last event was."""
        here = self._state.get("", "here")
        key = self._cast[letter].key if letter in self._cast else ""
        place = PLACES.get(self._state.values.get((key, "place"), here))
        if place is None:
            raise StuckError("that is no place of the world")
        return place

    def _must_hold(self, actor: str, item: str) -> None:
        if self._state.get(self._cast[item].key, "where") != self._cast[actor].key:
            raise StuckError("someone else has it")

    def _find_in_hand(self, actor: str, item: str) -> None:
        """Cast something of the right kind that the actor already holds, if there is any."""
        trait = self._traits.get(item, "portable")
        taken = {entity.key for entity in self._cast.values()}
        for held in self._state.items.values():
            fits = held.key not in taken and trait in held.traits
            if fits and self._state.get(held.key, "where") == self._cast[actor].key:
                self._cast[item] = held
                return

    def _recast(self) -> dict[str, Entity]:
        """Give the parts of a plot to the actors of the story so far, in any order."""
        actors = self._casting.actors.copy()
        self._rng.shuffle(actors)
        cast: dict[str, Entity] = {}
        for letter in ("a", "b"):
            trait = self._traits.get(letter, "")
            fit = next((actor for actor in actors if not trait or trait in actor.traits), None)
            if fit is not None:
                cast[letter] = fit
                actors.remove(fit)
        return cast

    def _endings(self) -> Iterator[Event]:
        actors, items = self._casting.actors, self._state.items
        for index, actor in enumerate(actors):
            yield Event("go_home", (actor,))
            for other in actors[index + 1 :]:
                yield Event("go_home_two", (actor, other))
                yield Event("all_happy", (actor, other))
                yield Event("become_friends", (actor, other))
        for item in items.values():
            holder = self._state.get(item.key, "where")
            if holder in ACTORS:
                yield Event("take_home", (ACTORS[holder], item))
                yield Event("keep", (ACTORS[holder], item))
            elif holder in PLACES:
                yield Event("stay_at", (item, PLACES[holder]))
            elif holder in items:
                yield Event("stay_in", (item, items[holder]))
