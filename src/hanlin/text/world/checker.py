"""Read a story's text, play it through, and say what is wrong with it.

from hanlin.text.world import check
check("一天，小明在公园里玩。……", "zh").problems
"""

from __future__ import annotations

from dataclasses import dataclass

from hanlin.text.world.actions import Kind
from hanlin.text.world.entities import Actor, Language
from hanlin.text.world.grammar import Grammar, grammar_of
from hanlin.text.world.state import Event, State, is_state_dependent, structure_of

__all__ = ["MAX_SENTENCES", "MIN_SENTENCES", "Structure", "Verdict", "check"]

MIN_SENTENCES, MAX_SENTENCES = 3, 12
Structure = tuple[tuple[str, ...], ...]
"""The events without wording: each action's name, then the keys of its entities."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checker found."""

    well_formed: bool
    """Every sentence is one of the world's, and the first and the last are in their places."""
    consistent: bool
    """It is well formed, and every event is possible after those before it."""
    problems: tuple[str, ...]
    """What is wrong, sentence by sentence."""
    structure: Structure | None
    """The events without wording, if the story is well formed."""
    sentences: int
    state_dependent: bool
    """Whether an event needs something that an earlier one changed."""


def check(text: str, language: Language) -> Verdict:
    """Check one story.

    >>> verdict = check("One day, Ming came to the park. Ming gave the ball to Hong.", "en")
    >>> verdict.problems[0]
    'a story has 3 to 12 sentences, this one has 2'
    """
    grammar = grammar_of(language)
    sentences = grammar.split(text.strip())
    events, problems, faults = _read(grammar, sentences)
    if not MIN_SENTENCES <= len(sentences) <= MAX_SENTENCES:
        count = f"this one has {len(sentences)}"
        problems.insert(0, f"a story has {MIN_SENTENCES} to {MAX_SENTENCES} sentences, {count}")
    well_formed = not problems
    faults += _replay(events, sentences)
    story = tuple(event for event in events if event)
    return Verdict(
        well_formed=well_formed,
        consistent=well_formed and not faults,
        problems=tuple(problems + faults),
        structure=structure_of(story) if well_formed else None,
        sentences=len(sentences),
        state_dependent=is_state_dependent(story),
    )


def _read(
    grammar: Grammar, sentences: list[str]
) -> tuple[list[Event | None], list[str], list[str]]:
    """Read sentence by sentence: the events, what is malformed, and pronouns without referent."""
    events: list[Event | None] = []
    malformed, unclear = [], []
    actors: tuple[Actor, ...] = ()
    cast: tuple[Actor, ...] = ()
    for index, sentence in enumerate(sentences):
        reading = grammar.read(sentence, _kind(index, len(sentences)), actors, cast)
        events.append(reading.event if reading else None)
        actors = reading.actors if reading else ()
        cast += actors
        if reading is None:
            malformed.append(f"sentence {index + 1} is none of the world's: {sentence}")
        elif reading.unclear:
            unclear.append(f"sentence {index + 1}: it is not clear whom `{reading.unclear}` means")
    return events, malformed, unclear


def _kind(index: int, length: int) -> Kind:
    if index == 0:
        return "opening"
    return "ending" if index == length - 1 else "middle"


def _replay(events: list[Event | None], sentences: list[str]) -> list[str]:
    """Play the events through; after a broken one the state goes on as if it had happened."""
    state, faults = State(), []
    for index, event in enumerate(events):
        if event is None:
            continue
        for problem in state.problems(event):
            faults.append(f"sentence {index + 1}: {problem}: {sentences[index]}")
        state.apply(event)
    return faults
