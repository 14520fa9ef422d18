"""Spoil one fact of a story, so that its text alone shows that something is wrong.

A mutation changes a fact on which another sentence depends: who holds a thing, where it is, what
it looks like, what happened first. The other sentences keep their facts, if not their wording.

    from hanlin.text.world import mutate
    mutate(story, random.Random(1), "en", kind="colour")
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Literal, get_args

from hanlin.text.world.entities import COLOURS, COUNTS, Actor, Entity, Item, Language, Place
from hanlin.text.world.grammar import grammar_of
from hanlin.text.world.lexicon import ACTORS, PLACES, THINGS
from hanlin.text.world.state import Event, Fluent, State
from hanlin.text.world.story import Story

__all__ = ["MUTATIONS", "Mutation", "mutate", "mutations"]

Mutation = Literal["actor", "thing", "place", "colour", "count", "drop", "repeat", "reorder"]
MUTATIONS: tuple[Mutation, ...] = get_args(Mutation)
"""What can be spoilt."""

Events = tuple[Event, ...]


def mutate(
    story: Story, rng: random.Random, language: Language, *, kind: Mutation | None = None
) -> str:
    """Return the story's text with one fact spoilt.

    Raises `ValueError` if the story offers nothing of the given kind; without a kind, one of those
    that it offers is chosen.
    """
    kinds = [kind] if kind else list(MUTATIONS)
    rng.shuffle(kinds)
    for each in kinds:
        options = list(mutations(story.events, each, rng))
        if options:
            return grammar_of(language).write(rng.choice(options), story.wording)
    raise ValueError(f"the story offers no mutation of the kind {kind!r}; choose another kind")


def mutations(events: Events, kind: Mutation, rng: random.Random) -> Iterator[Events]:
    """Yield what a mutation of this kind can make of a story's events."""
    middle = range(1, len(events) - 1)
    if kind == "drop":
        for cause in sorted({cause for cause, _ in _dependences(events) if cause in middle}):
            yield events[:cause] + events[cause + 1 :]
    elif kind == "repeat":
        for index in filter(lambda index: _happens_once(events[index]), middle):
            yield events[: index + 1] + events[index:]
    elif kind == "reorder":
        for cause, effect in _dependences(events):
            if cause in middle and effect in middle:
                yield _swapped(events, cause, effect)
    else:
        for index, entity in _checked_mentions(events, kind):
            other = _other(events, entity, kind, rng)
            changed = events[index].replaced(entity, other)
            yield (*events[:index], changed, *events[index + 1 :])


def _dependences(events: Events) -> list[tuple[int, int]]:
    """Return pairs (i, j) where event j needs what event i changed, or whom it introduced."""
    writers: dict[Fluent, int] = {}
    origins: dict[str, int] = {}
    state, pairs = State(), list[tuple[int, int]]()
    for index, event in enumerate(events):
        pairs += [(writers[fluent], index) for fluent in state.reads(event) if fluent in writers]
        for role, entity in zip(event.action.roles, event.entities, strict=True):
            if role.introduces:
                origins[entity.key] = index
            elif entity.key in origins:
                pairs.append((origins[entity.key], index))
        before = dict(state.values)
        state.apply(event)
        for fluent in state.writes(event):
            if before.get(fluent) != state.values[fluent]:
                writers[fluent] = index
    return pairs


def _happens_once(event: Event) -> bool:
    """Whether an event undoes what it needs, or brings in someone who can come only once."""
    state = State()
    needed = {
        (event.entities[need.role].key, need.fluent)
        for need in event.action.needs
        if need.equal and need.role >= 0
    }
    return bool(needed & state.writes(event)) or any(role.introduces for role in event.action.roles)


def _swapped(events: Events, first: int, second: int) -> Events:
    order = list(events)
    order[first], order[second] = order[second], order[first]
    return tuple(order)


def _checked_mentions(events: Events, kind: Mutation) -> Iterator[tuple[int, Entity]]:
    """Yield later mentions of entities whose part is fixed by what was told before."""
    for index, event in enumerate(events[1:], 1):
        for number, role in enumerate(event.action.roles):
            entity = event.entities[number]
            if role.introduces or not _can_change(entity, kind):
                continue
            if kind in ("colour", "count") or number in _fixed_roles(event):
                yield index, entity


def _can_change(entity: Entity, kind: Mutation) -> bool:
    match kind:
        case "actor":
            return isinstance(entity, Actor)
        case "place":
            return isinstance(entity, Place)
        case "thing":
            return isinstance(entity, Item)
        case "colour":
            return isinstance(entity, Item) and bool(entity.colour)
        case _:
            return isinstance(entity, Item) and "many" in entity.traits


def _fixed_roles(event: Event) -> set[int]:
    """Return the roles that a need ties to one entity: a holder, a place, a debtor.

    Being in the same place or in the same mood ties nobody: others may be so too.
    """
    fixed = set()
    for need in event.action.needs:
        if need.equal and not need.is_loose and need.fluent != "mood":
            fixed |= {need.role, *(term.role for term in need.values)}
    return fixed - {-1}


def _other(events: Events, entity: Entity, kind: Mutation, rng: random.Random) -> Entity:
    """Return what to put in an entity's place: one of the same story, if there is one."""
    if isinstance(entity, Item) and kind == "colour":
        colours = [colour for colour in entity.thing.colours if colour != entity.colour]
        return entity.changed(
            colour=rng.choice(colours or [c for c in COLOURS if c != entity.colour])
        )
    if isinstance(entity, Item) and kind == "count":
        return entity.changed(count=rng.choice([n for n in COUNTS if n != entity.count]))
    present = {known: None for event in events for known in event.entities}
    others = [known for known in present if type(known) is type(entity) and known != entity]
    return rng.choice(others) if others else _stranger(entity, rng)


def _stranger(entity: Entity, rng: random.Random) -> Entity:
    """Return an entity of the same kind that the story does not know."""
    if isinstance(entity, Actor):
        return rng.choice([actor for actor in ACTORS.values() if actor != entity])
    if isinstance(entity, Place):
        return rng.choice([place for place in PLACES.values() if place != entity])
    things = [thing for thing in THINGS.values() if thing != entity.thing]
    return Item(rng.choice([thing for thing in things if thing.traits & entity.traits]))
