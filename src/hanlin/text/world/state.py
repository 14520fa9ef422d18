"""Events and the state that they change: what may happen next, and what is wrong if it does.

`State.problems(event)` names every reason against an event; `State.apply(event)` makes it happen.
The generator and the checker both go through here, so that they cannot disagree.

    python -m hanlin.text.world --seed 3
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hanlin.text.world.actions import ACTIONS, Action, Need, Role, Term
from hanlin.text.world.entities import Actor, Entity, Item, Place, noun
from hanlin.text.world.lexicon import ACTORS, PLACES

__all__ = ["Event", "State", "is_state_dependent", "structure_of"]

Fluent = tuple[str, str]
"""The key of an entity and the name of a fluent: `("apple", "where")`."""

HERE: Fluent = ("", "here")
_WORDS = {
    "where": "the whereabouts of {}", "place": "the place of {}", "here": "the scene{}",
    "mood": "the mood of {}", "missing": "whether {} is missing", "open": "whether {} is open",
    "locked": "whether {} is locked", "broken": "whether {} is broken",
    "dirty": "whether {} is dirty", "wet": "whether {} is wet", "lender": "the lender of {}",
    "owes": "whom {} has to thank", "wants": "what {} wants", "sleep": "the sleep of {}",
    "lit": "whether {} is lit", "growth": "the growth of {}", "to": "to whom {} was sent",
    "known": "whether anyone was before at {}",
}  # fmt: skip
_BINDS = (("sleep", "asleep"), ("stuck", "yes"), ("hidden", "yes"))
_FEELINGS = frozenset({"mood", "owes", "here", "said", "wants", "tears", "known"})
"""Fluents too slight to make a story depend on its state."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happens: an action and its entities, in the order of the action's roles."""

    name: str
    entities: tuple[Entity, ...]

    @property
    def action(self) -> Action:
        """The action of this name."""
        return ACTIONS[self.name]

    @property
    def subject(self) -> Actor | None:
        """The first actor."""
        index = self.action.subject
        entity = None if index is None else self.entities[index]
        return entity if isinstance(entity, Actor) else None

    def get(self, letter: str) -> Entity:
        """Return the entity of a role."""
        letters = [role.letter for role in self.action.roles]
        return self.entities[letters.index(letter)]

    def replaced(self, old: Entity, new: Entity) -> Event:
        """Return the event with one entity in place of another."""
        return Event(self.name, tuple(new if entity == old else entity for entity in self.entities))


@dataclass(slots=True)
class State:
    """What holds after some events."""

    values: dict[Fluent, str] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    """The items that have come into the story, by key."""

    def get(self, key: str, fluent: str) -> str:
        """Return the value of an entity's fluent."""
        return self.values.get((key, fluent), "no")

    def allows(self, event: Event) -> bool:
        """Whether nothing speaks against an event."""
        return next(self.problems(event), None) is None

    def problems(self, event: Event) -> Iterator[str]:
        """Yield every reason against an event as a sentence for people."""
        action, entities = event.action, event.entities
        known = True
        for role, entity in zip(action.roles, entities, strict=True):
            for problem in self._misfits(role, entity):
                known = False
                yield problem
        if len({entity.key for entity in entities}) < len(entities):
            yield "one entity has two parts in the same event"
        if not known:
            return
        for need in action.needs:
            if not self._holds(need, entities):
                yield self._explain(need, entities)
        if not self._changes(event):
            yield "nothing new happens"

    def apply(self, event: Event) -> None:
        """Make an event happen, whether or not the state allows it."""
        action, entities = event.action, event.entities
        for role, entity in zip(action.roles, entities, strict=True):
            if role.introduces and isinstance(entity, Item):
                self.items[entity.key] = entity
        self.values.update(self._outcome(event))
        if action.subject is not None:
            self.values[HERE] = self.get(entities[action.subject].key, "place")

    def reads(self, event: Event) -> set[Fluent]:
        """Return the fluents that an event needs to have been set to one certain value.

        That two actors are in the same place is not among them: any place will do.
        """
        return {
            _fluent(need.role, need.fluent, event.entities)
            for need in event.action.needs
            if need.equal and not need.is_loose
        }

    def writes(self, event: Event) -> set[Fluent]:
        """Return the fluents that an event sets."""
        entities = event.entities
        return {(entities[effect.role].key, effect.fluent) for effect in event.action.effects}

    def _outcome(self, event: Event) -> dict[Fluent, str]:
        entities = event.entities
        return {
            (entities[effect.role].key, effect.fluent): self._value(effect.value, entities)
            for effect in event.action.effects
        }

    def _changes(self, event: Event) -> bool:
        values = self.values
        return any(values.get(fluent) != value for fluent, value in self._outcome(event).items())

    def _value(self, term: Term, entities: tuple[Entity, ...]) -> str:
        if term.constant:
            return term.constant
        if term.fluent:
            return self.values.get(_fluent(term.role, term.fluent, entities), "no")
        return entities[term.role].key

    def _holds(self, need: Need, entities: tuple[Entity, ...]) -> bool:
        actual = self.values.get(_fluent(need.role, need.fluent, entities), "no")
        return any(actual == self._value(term, entities) for term in need.values) == need.equal

    def _misfits(self, role: Role, entity: Entity) -> Iterator[str]:
        if isinstance(entity, Item):
            yield from self._unfit_item(role, entity)
        elif isinstance(entity, Actor):
            yield from self._unfit_actor(role, entity)
        if role.trait and role.trait not in entity.traits:
            yield f"{_name(entity)} has not the trait `{role.trait}` that this needs"

    def _unfit_item(self, role: Role, item: Item) -> Iterator[str]:
        known = self.items.get(item.key)
        if role.introduces and known is not None:
            yield f"{_name(item)} comes into the story a second time"
        elif not role.introduces and known is None:
            yield f"{_name(item)} is spoken of before it comes into the story"
        elif known is not None and known != item:
            yield f"{_name(item)} was {_name(known)} before"

    def _unfit_actor(self, role: Role, actor: Actor) -> Iterator[str]:
        known = (actor.key, "place") in self.values
        if role.introduces and known:
            yield f"{_name(actor)} comes into the story a second time"
        elif not role.introduces and not known:
            yield f"{_name(actor)} acts before coming into the story"
        if role.bound:
            return
        for fluent, value in _BINDS:
            if self.values.get((actor.key, fluent)) == value:
                yield f"{_name(actor)} cannot take part: {fluent} = {value}"

    def _explain(self, need: Need, entities: tuple[Entity, ...]) -> str:
        entity = entities[need.role] if need.role >= 0 else None
        words = _WORDS.get(need.fluent, need.fluent + " of {}")
        subject = words.format(_name(entity) if entity else "")
        wanted = " or ".join(_tell(self._value(term, entities)) for term in need.values)
        actual = _tell(self.values.get(_fluent(need.role, need.fluent, entities), "no"))
        return f"{subject} is {actual}, but it must {'' if need.equal else 'not '}be {wanted}"


def structure_of(events: tuple[Event, ...]) -> tuple[tuple[str, ...], ...]:
    """Return the events without their wording: each action's name with its entities' keys."""
    return tuple((event.name, *(entity.key for entity in event.entities)) for event in events)


def is_state_dependent(events: tuple[Event, ...]) -> bool:
    """Whether an event needs something that an earlier one changed.

    Where a newcomer is and what it brings along counts as given, not as a change; nor do feelings
    count.
    """
    state, changed = State(), set[Fluent]()
    for event in events:
        if changed & state.reads(event):
            return True
        new = {
            entity.key
            for role, entity in zip(event.action.roles, event.entities, strict=True)
            if role.introduces
        }
        changed.update(
            fluent
            for fluent in state.writes(event)
            if fluent[0] not in new and fluent[1] not in _FEELINGS
        )
    return False


def _fluent(role: int, fluent: str, entities: tuple[Entity, ...]) -> Fluent:
    return (entities[role].key if role >= 0 else "", fluent)


def _name(entity: Entity) -> str:
    words = noun(entity, "en")
    return words if isinstance(entity, Actor) and entity.named else f"the {words}"


def _tell(value: str) -> str:
    """Word a fluent's value: the name of an actor or place, or the value itself."""
    entity: Actor | Place | None = ACTORS.get(value) or PLACES.get(value)
    return _name(entity) if entity else f"`{value}`"
