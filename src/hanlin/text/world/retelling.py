"""Summaries that take up names in an order that a reader asks for, and what a summary must tell.

    retell(story, ("ball", "Hong", "Ming"), "en")
    # As for the ball and Hong, Ming gave the ball to Hong.

A summary is true whatever the order: each sentence tells an event of the story in one of its
wordings. Names come first where the order asks for it, by the ways that both languages have:
another wording, another order of the events ("before that"), the place before or after, and, for
what is left, a topic in front ("as for", 说到). Of all ways, one with the fewest topics is taken.

    python -m hanlin.text.world --seed 3
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice, permutations, product
from typing import TYPE_CHECKING

from hanlin.text.world.entities import Entity, Language, Place, noun, phrase
from hanlin.text.world.grammar import Template, grammar_of
from hanlin.text.world.tasks import core_events, entities_of, keywords, remembered, scene_of

if TYPE_CHECKING:
    from hanlin.text.world.course import Course
    from hanlin.text.world.story import Story

__all__ = ["edit_keywords", "event_wordings", "retell"]

_ABOUT = {"zh": "说到{}，", "en": "as for {}, "}
_COMMA, _AND = {"zh": "、", "en": ", "}, {"zh": "和", "en": " and "}
_EARLIER = {"zh": "在这之前，", "en": "before that, "}
_THERE = {"zh": "这件事发生在{}。", "en": "It happened {}."}
_AT = {"zh": "在{}，", "en": "{}, "}
_MOST_WAYS = 48
_DROPPED, _ADDED = 0.3, 0.2


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to tell: events in order with a wording each, and where a place that frames goes."""

    told: tuple[tuple[int, Template], ...]
    place_first: bool


def edit_keywords(story: Story, language: Language, rng: random.Random) -> tuple[str, ...]:
    """Return the summary's keywords as a reader might change them.

    Their order is drawn; at times one is left out, and at times another name of the story added.
    """
    names = list(keywords(story, language))
    rng.shuffle(names)
    if len(names) > 2 and rng.random() < _DROPPED:
        names.pop()
    text = story.text(language)
    others = [noun(entity, language) for entity in entities_of(story)]
    new = [name for name in dict.fromkeys(others) if name not in names and name in text]
    if new and rng.random() < _ADDED:
        names.insert(rng.randrange(len(names) + 1), rng.choice(new))
    return tuple(names)


def retell(story: Story, names: Sequence[str], language: Language) -> str:
    """Return a summary that first mentions names of the story in the order given.

    Empty where no order can be told, because one name is a part of another.
    """
    known = {noun(entity, language): entity for entity in reversed(entities_of(story))}
    wanted = {name: known[name] for name in names if name in known}
    best, least = "", len(wanted) + 1
    for way in islice(_ways(story, wanted, language), _MOST_WAYS):
        text, topics = _tell(story, way, wanted, language)
        places = [text.casefold().find(name.casefold()) for name in wanted]
        in_order = all(a < b for a, b in zip([-1, *places], places, strict=False))
        if in_order and topics < least:
            best, least = text, topics
        if not least:
            break
    return best


def event_wordings(story: Story, language: Language) -> tuple[frozenset[str], ...]:
    """Return, of each event that the summary tells, all its wordings in lower case, unstopped."""
    grammar = grammar_of(language)
    return tuple(
        frozenset(
            grammar.write_sentence(story.events[index], template).casefold().rstrip(".。")
            for template in grammar.templates[story.events[index].name]
        )
        for index in core_events(story)
    )


def _ways(story: Story, wanted: dict[str, Entity], language: Language) -> Iterator[_Way]:
    """Yield ways to tell, plain wordings and the order of the story first."""
    templates = grammar_of(language).templates
    chosen = _choose(story, list(wanted.values()))
    options = {index: templates[story.events[index].name] for index in chosen}
    ways = []
    for order in permutations(chosen):
        for place_first, worded in product((True, False), product(*(options[i] for i in order))):
            changed = sum(t is not options[i][0] for i, t in zip(order, worded, strict=True))
            ways.append((changed, _Way(tuple(zip(order, worded, strict=True)), place_first)))
    yield from (way for _, way in sorted(ways, key=lambda pair: pair[0]))


def _choose(story: Story, wanted: Sequence[Entity]) -> list[int]:
    """Return the events to tell: those wholly asked for, then one for each name still untold."""
    core = core_events(story)
    chosen = [index for index in core if set(story.events[index].entities) <= set(wanted)]
    for entity in wanted:
        if any(_shows(story, index, entity) for index in chosen):
            continue
        told = [index for index in core if _shows(story, index, entity)]
        last = len(story.events) - 1
        others = [n for n in range(last) if entity in story.events[n].entities]
        chosen += told[:1] or others[-1:]
    return sorted(set(chosen)) or core[:1]


def _shows(story: Story, index: int, entity: Entity) -> bool:
    return entity in story.events[index].entities or entity == scene_of(story, index)


def _tell(
    story: Course, way: _Way, wanted: dict[str, Entity], language: Language
) -> tuple[str, int]:
    """Return the summary of a way, and how many topics it needs."""
    grammar, left = grammar_of(language), list(wanted)
    mentioned = {entity for index, _ in way.told for entity in story.events[index].entities}
    sentences: list[str] = []
    topics, before = 0, -1
    for index, template in way.told:
        event, scene = story.events[index], scene_of(story, index)
        framing = scene in wanted.values() and scene not in mentioned
        mentioned.add(scene)
        lead = _at(scene, language) if framing and way.place_first else ""
        after = _there(scene, language) if framing and not way.place_first else ""
        front = _topics(lead + _worded(story, (index, language, template)) + after, left)
        fronted, left = left[:front], left[front:]
        if framing and noun(scene, language) in fronted:
            lead = after = ""
        earlier = _EARLIER[language] if index < before else ""
        frame = _front([wanted[name] for name in fronted], scene, language) + earlier + lead
        told = grammar.write_sentence(event, template, frame=frame[:1].upper() + frame[1:])
        sentences += [told, *([after] if after else [])]
        left = [name for name in left if name.casefold() not in f"{told}{after}".casefold()]
        topics, before = topics + front, index
    return ("" if language == "zh" else " ").join(sentences), topics


@remembered
def _worded(story: Course, way: tuple[int, Language, Template]) -> str:
    """Return an event in a wording."""
    index, language, template = way
    return grammar_of(language).write_sentence(story.events[index], template)


def _topics(text: str, left: Sequence[str]) -> int:
    """Return how many names must stand in front for a text to mention the others in order."""
    lower = text.casefold()
    places = {name: place for name in left if (place := lower.find(name.casefold())) >= 0}
    for front in range(len(left) + 1):
        own = sorted((name for name in left[front:] if name in places), key=places.__getitem__)
        if own == list(left[front : front + len(own)]):
            return front
    return len(left)


def _front(entities: Sequence[Entity], scene: Place, language: Language) -> str:
    """Word topics: the place where it happens with its preposition, the others as what it is of."""
    parts = []
    for is_scene, group in groupby(entities, key=lambda entity: entity == scene):
        if is_scene:
            parts.append(_at(scene, language))
            continue
        words = [
            phrase(entity, "name" if isinstance(entity, Place) else "known", language)
            for entity in group
        ]
        listed = [_COMMA[language].join(words[:-1]), words[-1]] if words[1:] else words
        parts.append(_ABOUT[language].format(_AND[language].join(listed)))
    return "".join(parts)


def _at(place: Place, language: Language) -> str:
    return _AT[language].format(phrase(place, "at", language))


def _there(place: Place, language: Language) -> str:
    return _THERE[language].format(phrase(place, "at", language))
