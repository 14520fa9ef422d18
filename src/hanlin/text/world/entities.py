"""What the toy world is made of: actors, things, places, and the items of one story.

An entity is named by its `key`, the same in every language; the words for it are looked up with
`phrase`. An item is a thing as it stands in one story: three red apples, a big box.

    python -m hanlin.text.world --seed 3
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

__all__ = [
    "COLOURS",
    "COUNTS",
    "SIZES",
    "Actor",
    "Entity",
    "Form",
    "Item",
    "Language",
    "Place",
    "Thing",
    "noun",
    "phrase",
    "with_article",
]

Language = Literal["zh", "en"]
Form = Literal["new", "known", "at", "name"]
"""How a slot words its entity: a first or a later mention, a place with its preposition or bare."""

COLOURS: dict[str, str] = {
    "red": "红", "blue": "蓝", "green": "绿", "yellow": "黄", "white": "白",
    "black": "黑", "purple": "紫", "pink": "粉", "gold": "金", "silver": "银",
}  # fmt: skip
SIZES: dict[str, str] = {"big": "大", "small": "小"}
COUNTS: dict[int, tuple[str, str]] = {
    1: ("一", "one"), 2: ("两", "two"), 3: ("三", "three"), 4: ("四", "four"), 5: ("五", "five"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or an animal. One with a name (`named`) takes no article and no measure word."""

    key: str
    zh: str
    en: str
    pronoun: str
    named: bool = True
    measure: str = ""
    traits: frozenset[str] = frozenset()

    def __hash__(self) -> int:
        """Hash the key alone: it is unique, and phrases are looked up very often."""
        return hash(self.key)


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere to be: its name, the Chinese locative, and the English preposition."""

    key: str
    zh: str
    zh_at: str
    en: str
    preposition: str
    traits: frozenset[str] = frozenset()

    def __hash__(self) -> int:
        """Hash the key alone, as for an actor."""
        return hash(self.key)


@dataclass(frozen=True, slots=True)
class Thing:
    """A kind of thing; `en` and `plural` hold `{}` where an adjective stands."""

    key: str
    zh: str
    measure: str
    en: str
    plural: str
    colours: tuple[str, ...]
    natural: str
    """Its colour where none is said."""
    traits: frozenset[str]

    def __hash__(self) -> int:
        """Hash the key alone, as for an actor."""
        return hash(self.key)


@dataclass(frozen=True, slots=True)
class Item:
    """A thing as one story has it; at most one of colour and size is said."""

    thing: Thing
    colour: str = ""
    size: str = ""
    count: int = 1

    @property
    def key(self) -> str:
        """The key of its thing: a story has at most one item of a kind."""
        return self.thing.key

    @property
    def traits(self) -> frozenset[str]:
        """What can be done with it."""
        return self.thing.traits

    def changed(self, *, colour: str | None = None, count: int | None = None) -> Item:
        """Return the item with another colour or count."""
        return replace(
            self,
            colour=self.colour if colour is None else colour,
            count=self.count if count is None else count,
        )


Entity = Actor | Item | Place


@cache
def phrase(entity: Entity, form: Form, language: Language) -> str:
    """Word an entity as a slot of this form needs it, in lower case but for names.

    >>> from hanlin.text.world.lexicon import THINGS
    >>> apples = Item(THINGS["apple"], colour="red", count=3)
    >>> phrase(apples, "new", "zh"), phrase(apples, "known", "en")
    ('三个红苹果', 'the three red apples')
    """
    if isinstance(entity, Actor):
        return _actor(entity, form, language)
    if isinstance(entity, Place):
        return _place(entity, form, language)
    if language == "zh":
        counted = f"{COUNTS[entity.count][0]}{entity.thing.measure}"
        lead = counted if form == "new" else f"那{counted}" if entity.count > 1 else ""
        return lead + noun(entity, "zh")
    name = noun(entity, "en")
    number = f"{COUNTS[entity.count][1]} " if entity.count > 1 else ""
    if form == "known":
        return f"the {number}{name}"
    return number + name if number else with_article(name)


@cache
def noun(entity: Entity, language: Language) -> str:
    """Return the bare words for an entity: `红苹果`, `red apples`, `公园`, `rabbit`."""
    if not isinstance(entity, Item):
        return entity.zh if language == "zh" else entity.en
    adjective = entity.colour or entity.size
    if language == "zh":
        return COLOURS.get(adjective, SIZES.get(adjective, "")) + entity.thing.zh
    pattern = entity.thing.en if entity.count == 1 else entity.thing.plural
    return pattern.format(f"{adjective} " if adjective else "")


def with_article(name: str) -> str:
    """Put `a` or `an` before a name.

    >>> with_article("owl"), with_article("red apple")
    ('an owl', 'a red apple')
    """
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _actor(actor: Actor, form: Form, language: Language) -> str:
    if actor.named:
        return actor.zh if language == "zh" else actor.en
    if language == "zh":
        return f"一{actor.measure}{actor.zh}" if form == "new" else actor.zh
    return with_article(actor.en) if form == "new" else f"the {actor.en}"


def _place(place: Place, form: Form, language: Language) -> str:
    if language == "zh":
        return place.zh_at if form == "at" else place.zh
    return f"{place.preposition} the {place.en}" if form == "at" else f"the {place.en}"
