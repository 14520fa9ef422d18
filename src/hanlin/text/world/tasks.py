"""What can be derived from a story: summary, keywords, questions, requests, a picture.

All of it comes from the events, and is said in the words that the story itself is told with.

    python -m hanlin.text.world --seed 3
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import wraps
from typing import TypeVar, get_args

from hanlin.text.world.course import Course
from hanlin.text.world.entities import (
    COLOURS,
    COUNTS,
    SIZES,
    Actor,
    Entity,
    Item,
    Language,
    Place,
    noun,
    phrase,
    with_article,
)
from hanlin.text.world.grammar import grammar_of
from hanlin.text.world.lexicon import ACTORS, PLACES, THINGS
from hanlin.text.world.requests import FRAMES, Request, choose_missing, make_request
from hanlin.text.world.state import Event, State

__all__ = [
    "Figure",
    "Request",
    "core_events",
    "entities_of",
    "keywords",
    "picture",
    "questions",
    "remembered",
    "request",
    "scene",
    "scene_of",
    "summary",
]

Question = tuple[str, str]
K = TypeVar("K")
T = TypeVar("T")

_POSITIONS: dict[str, tuple[str, str]] = {
    "left": ("左边", "on the left"),
    "right": ("右边", "on the right"),
    "top": ("上边", "at the top"),
    "bottom": ("下边", "at the bottom"),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """Some things of one kind in a picture; colour, size and position by their English names."""

    thing: str
    colour: str
    size: str
    count: int
    position: str


def remembered(derive: Callable[[Course, K], T]) -> Callable[[Course, K], T]:
    """Let something be derived once from a story and a language, or the number of an event."""

    @wraps(derive)
    def look(story: Course, of: K) -> T:
        key = (derive.__name__, of)
        if key not in story.memo:
            story.memo[key] = derive(story, of)
        found: T = story.memo[key]
        return found

    return look


@remembered
def summary(story: Course, language: Language) -> str:
    """Tell where it happened and what mattered, in one or two sentences."""
    grammar = grammar_of(language)
    first, *rest = core_events(story)
    place = scene_of(story, first)
    sentence = grammar.write_sentence(story.events[first], frame=_opening(place, language))
    if any(isinstance(entity, Place) for entity in story.events[first].entities):
        sentence = grammar.write_sentence(story.events[first])
    others = [grammar.write_sentence(story.events[index]) for index in rest]
    return ("" if language == "zh" else " ").join([sentence, *others])


def keywords(story: Course, language: Language) -> tuple[str, ...]:
    """Return the names in the summary, in the order in which they first appear there."""
    text = summary(story, language)
    first, *rest = core_events(story)
    entities = [entity for index in (first, *rest) for entity in story.events[index].entities]
    names = {noun(entity, language) for entity in [scene_of(story, first), *entities]}
    return tuple(sorted((name for name in names if name in text), key=text.index))


def questions(story: Course, language: Language) -> tuple[Question, ...]:
    """Return questions with their answers: who did it, who has it, where, what colour, how many."""
    items = [entity for entity in entities_of(story) if isinstance(entity, Item)]
    found = [*_who_did(story, language), _where_at_first(story, language)]
    for item in items:
        found += _looks(item, language)
    found += _holders(story, items, language)
    return tuple(dict.fromkeys(found))


def request(story: Course, language: Language, rng: random.Random) -> Request:
    """Return a command about the story's entities, with a fact left out at times."""
    cast: dict[str, Entity] = {}
    for letter, kind in (("b", Actor), ("x", Item), ("p", Place)):
        options = [entity for entity in entities_of(story) if isinstance(entity, kind)]
        if options:
            cast[letter] = rng.choice(options)
    frame = rng.choice([frame for frame in FRAMES if set(frame.letters) <= set(cast)])
    return make_request(frame, cast, choose_missing(frame, rng), language)


def scene(story: Course) -> tuple[Figure, ...]:
    """Return the things in the story's picture, each with all that a painter must know.

    What the story leaves open is set by the kind of thing: its natural colour, and small for what
    comes in numbers. A story without things gets one that its seed chooses.
    """
    items = [entity for entity in entities_of(story) if isinstance(entity, Item)]
    if not items:
        items = [Item(random.Random(story.wording).choice(list(THINGS.values())))]
    return tuple(
        Figure(
            thing=item.key,
            colour=item.colour or item.thing.natural,
            size=item.size or ("small" if "many" in item.traits else "big"),
            count=item.count,
            position=position,
        )
        for item, position in zip(items, _POSITIONS, strict=False)
    )


def picture(story: Course, language: Language) -> str:
    """Describe the picture of the story's first place with the things of `scene`."""
    place = next(entity for entity in entities_of(story) if isinstance(entity, Place))
    if language == "zh":
        shown = "，".join(_figure(figure, "zh") for figure in scene(story))
        return f"一幅{place.zh}的画：{shown}。"
    shown = ", ".join(_figure(figure, "en") for figure in scene(story))
    return f"A picture of the {place.en}: {shown}."


def _figure(figure: Figure, language: Language) -> str:
    thing = THINGS[figure.thing]
    position, number = _POSITIONS[figure.position], COUNTS[figure.count]
    if language == "zh":
        look = f"{SIZES[figure.size]}的{COLOURS[figure.colour]}"
        return f"{position[0]}有{number[0]}{thing.measure}{look}{thing.zh}"
    pattern = thing.en if figure.count == 1 else thing.plural
    name = pattern.format(f"{figure.size} {figure.colour} ")
    return (
        f"{number[1]} {name} {position[1]}"
        if figure.count > 1
        else (f"{with_article(name)} {position[1]}")
    )


def core_events(story: Course) -> list[int]:
    """Return the first and the last of the events that matter."""
    return sorted({story.core[0], story.core[-1]})


def _opening(place: Place, language: Language) -> str:
    where = phrase(place, "at", language)
    return f"在{where}，" if language == "zh" else f"{where[0].upper()}{where[1:]}, "


@remembered
def scene_of(story: Course, index: int) -> Place:
    """Return where the event of this index happens: its subject's place before it."""
    state = State()
    for event in story.events[:index]:
        state.apply(event)
    subject = story.events[index].subject
    place = PLACES.get(state.get(subject.key, "place")) if subject else None
    return place or PLACES[state.get("", "here")]


def entities_of(story: Course) -> list[Entity]:
    """Return the entities in the order of their coming."""
    return list(dict.fromkeys(entity for event in story.events for entity in event.entities))


def _final_state(story: Course) -> State:
    """Return what holds before the ending, which only sends everyone home."""
    state = State()
    for event in story.events[:-1]:
        state.apply(event)
    return state


def _who_did(story: Course, language: Language) -> Iterator[Question]:
    """Turn a core event into a question by putting `who` in its subject's place."""
    asked = [
        (story.events[index], _who_question(story.events[index], language))
        for index in core_events(story)
    ]
    for event, question in asked:
        rivals = {other.subject for other, same in asked if same == question}
        if question and event.subject and len(rivals) == 1:
            yield question, phrase(event.subject, "known", language)


def _who_question(event: Event, language: Language) -> str:
    """Return the question after an event's subject, or nothing if it does not stand alone."""
    subject = event.subject
    plain = [grammar_of(each).templates[event.name][0] for each in get_args(Language)]
    if subject is None or not all(template.starts_with_actor for template in plain):
        return ""
    who = replace(subject, key="who", zh="谁", en="who", named=True)
    statement = grammar_of(language).write_sentence(event.replaced(subject, who))
    return statement[:-1] + ("？" if language == "zh" else "?")


def _where_at_first(story: Course, language: Language) -> Question:
    opening = story.events[0]
    actor, place = opening.entities[0], opening.get("p")
    where = phrase(place, "at", language)
    if language == "zh":
        return f"{phrase(actor, 'known', 'zh')}一开始在哪里？", where
    return f"Where was {phrase(actor, 'known', 'en')} at first?", where


def _looks(item: Item, language: Language) -> Iterator[Question]:
    bare = noun(replace(item, colour="", size=""), language)
    verb = "is" if item.count == 1 and not bare.startswith("pair") else "are"
    if item.colour and language == "zh":
        yield f"{bare}是什么颜色的？", f"{COLOURS[item.colour]}色"
    elif item.colour:
        yield f"What colour {verb} the {bare}?", item.colour
    if item.count == 1:
        return
    if language == "zh":
        yield f"{bare}有多少？", f"{COUNTS[item.count][0]}{item.thing.measure}"
    else:
        yield f"How many {bare} are there?", COUNTS[item.count][1]


def _holders(story: Course, items: list[Item], language: Language) -> Iterator[Question]:
    state = _final_state(story)
    for item in items:
        key = state.get(item.key, "where")
        words = phrase(item, "known", language)
        if key in ACTORS:
            who = phrase(ACTORS[key], "known", language)
            yield (
                (f"最后谁有{words}？" if language == "zh" else f"Who has {words} in the end?"),
                who,
            )
        elif key in PLACES:
            where = phrase(PLACES[key], "at", language)
            asked = f"最后{words}在哪里？" if language == "zh" else f"Where did {words} end up?"
            yield asked, where
