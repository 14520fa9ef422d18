"""Whether two tellings say the same, sentence by sentence: the same events of the same entities.

A sentence is right if it is word for word that of the reference, or if both are read as one event,
colours and counts included. Where a sentence begins with what is no event, such as `In the park,`
or `One evening,`, that beginning must be the same.

    python -m hanlin.text.world --seed 3
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hanlin.text.world.actions import Kind
from hanlin.text.world.entities import Actor, Language
from hanlin.text.world.grammar import Grammar, Reading, grammar_of
from hanlin.text.world.state import Event

__all__ = ["same_sentences", "split_story"]

_STOPS = re.compile(r".*[.!?。！？][”\"]?", re.DOTALL)
_Told = tuple[str, Event] | None


def same_sentences(text: str, reference: str, language: Language, *, story: bool) -> list[bool]:
    """Return for each sentence of a reference whether the text has the same one in its place.

    A text with more sentences than the reference has one more that is wrong.

    Args:
        text: what is judged.
        reference: what it should say.
        language: the language of both.
        story: whether they are whole stories, with the openings and endings of such.

    >>> same_sentences("Ming gave Hong the red ball.", "Ming gave the red ball to Hong.", "en",
    ...     story=False)
    [True]
    """
    grammar = grammar_of(language)
    wanted, found = _split(grammar, reference), _split(grammar, text)
    read = (_read(grammar, wanted, story), _read(grammar, found, story))
    same = [
        n < len(found)
        and (found[n] == wanted[n] or (read[0][n] is not None and read[0][n] == read[1][n]))
        for n in range(len(wanted))
    ]
    return [*same, False] if len(found) > len(wanted) else same


def split_story(text: str, language: Language) -> list[str]:
    """Return the sentences of a story; those of its two languages correspond one to one."""
    return grammar_of(language).split(text)


def _split(grammar: Grammar, text: str) -> list[str]:
    """Return the sentences of a text without what follows its last stop."""
    whole = _STOPS.match(text.strip())
    return grammar.split(whole.group()) if whole else []


def _read(grammar: Grammar, sentences: Sequence[str], story: bool) -> list[_Told]:
    told: list[_Told] = []
    actors: tuple[Actor, ...] = ()
    cast: tuple[Actor, ...] = ()
    for index, sentence in enumerate(sentences):
        kind: Kind = "middle"
        if story and index in (0, len(sentences) - 1):
            kind = "ending" if index else "opening"
        lead, reading = _read_one(grammar, sentence, kind, actors, cast)
        told.append((lead + reading.frame, reading.event) if reading else None)
        actors = reading.actors if reading else ()
        cast += actors
    return told


def _read_one(
    grammar: Grammar,
    sentence: str,
    kind: Kind,
    actors: Sequence[Actor],
    cast: Sequence[Actor],
) -> tuple[str, Reading | None]:
    reading = grammar.read(sentence, kind, actors, cast)
    if reading or kind != "middle":
        return "", reading
    comma = "，" if grammar.language == "zh" else ", "
    lead, found, rest = sentence.partition(comma)
    if not (found and rest):
        return "", None
    return lead, grammar.read(rest[0].upper() + rest[1:], kind, actors, cast)
