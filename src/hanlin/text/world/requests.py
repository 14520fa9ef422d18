"""Requests to an agent, whole or with a fact left out, and what the agent says to them.

A frame has two or more roles. In the table each frame gives, in both languages, the whole request
(`ask`) and the whole answer (`answer`), and for each role how the request sounds without it and
what one asks back then. Slots are those of `hanlin.text.world.wording`.

    python -m hanlin.text.world --seed 3
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hanlin.text.world.entities import Actor, Entity, Form, Item, Language, phrase

__all__ = ["FRAMES", "Frame", "Missing", "Request", "make_request"]

Missing = Literal["who", "what", "where"]

_TABLE = """
give ask        请把{x}给{b}。              | Please give {x} to {b}.
give answer     好的，我把{x}给{b}。        | All right, I will give {x} to {b}.
give -x         请给{b}一样东西。           | Please give something to {b}.
give ?x         请问给{b}什么？             | What should I give to {b}?
give -b         请把{x}送人。               | Please give {x} away.
give ?b         请问把{x}给谁？             | Whom should I give {x} to?
show ask        请让{b}看看{x}。            | Please show {x} to {b}.
show answer     好的，我让{b}看看{x}。      | All right, I will show {x} to {b}.
show -x         请让{b}看一样东西。         | Please show something to {b}.
show ?x         请问让{b}看什么？           | What should I show to {b}?
show -b         请让人看看{x}。             | Please show {x} around.
show ?b         请问让谁看{x}？             | Whom should I show {x} to?
take ask        请把{x}带到{p}。            | Please take {x} to {p}.
take answer     好的，我把{x}带到{p}。      | All right, I will take {x} to {p}.
take -x         请带一样东西到{p}。         | Please take something to {p}.
take ?x         请问带什么到{p}？           | What should I take to {p}?
take -p         请把{x}带走。               | Please take {x} away.
take ?p         请问把{x}带到哪里？         | Where should I take {x}?
find ask        请在{@p}找{x}。             | Please look for {x} {@p}.
find answer     好的，我在{@p}找{x}。       | All right, I will look for {x} {@p}.
find -x         请在{@p}找一样东西。        | Please look for something {@p}.
find ?x         请问在{@p}找什么？          | What should I look for {@p}?
find -p         请找{x}。                   | Please look for {x}.
find ?p         请问在哪里找{x}？           | Where should I look for {x}?
send ask        请叫{b}去{p}。              | Please send {b} to {p}.
send answer     好的，我叫{b}去{p}。        | All right, I will send {b} to {p}.
send -b         请叫人去{p}。               | Please send someone to {p}.
send ?b         请问叫谁去{p}？             | Whom should I send to {p}?
send -p         请叫{b}出门。               | Please send {b} out.
send ?p         请问叫{b}去哪里？           | Where should I send {b}?
wait ask        请在{@p}等{b}。             | Please wait for {b} {@p}.
wait answer     好的，我在{@p}等{b}。       | All right, I will wait for {b} {@p}.
wait -b         请在{@p}等人。              | Please wait for someone {@p}.
wait ?b         请问在{@p}等谁？            | Whom should I wait for {@p}?
wait -p         请等{b}。                   | Please wait for {b}.
wait ?p         请问在哪里等{b}？           | Where should I wait for {b}?
bring ask       请在{@p}把{x}交给{b}。      | Please hand {x} to {b} {@p}.
bring answer    好的，我在{@p}把{x}交给{b}。 | All right, I will hand {x} to {b} {@p}.
bring -x        请在{@p}交给{b}一样东西。   | Please hand something to {b} {@p}.
bring ?x        请问在{@p}交给{b}什么？     | What should I hand to {b} {@p}?
bring -b        请在{@p}把{x}交给人。       | Please hand {x} over {@p}.
bring ?b        请问在{@p}把{x}交给谁？     | Whom should I hand {x} to {@p}?
bring -p        请把{x}交给{b}。            | Please hand {x} to {b}.
bring ?p        请问在哪里把{x}交给{b}？    | Where should I hand {x} to {b}?
"""


@dataclass(frozen=True, slots=True)
class Request:
    """A command, what it leaves out, and how an agent answers."""

    text: str
    missing: Missing | None
    """The kind of fact that is left out, if any."""
    question: str
    """What to ask back; empty if nothing is missing."""
    fact: str
    """The missing fact, which answers the question; empty if nothing is missing."""
    answer: str
    """The answer once every fact is known."""
    about: tuple[Entity, ...] = ()
    """What the whole request speaks of."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A kind of command: its lines by name (`ask`, `answer`, `-x`, `?x`) and language."""

    name: str
    lines: Mapping[str, Mapping[Language, str]]

    @property
    def letters(self) -> tuple[str, ...]:
        """The roles that have to be known."""
        return tuple(name[1] for name in self.lines if name.startswith("-"))


def make_request(
    frame: Frame, cast: Mapping[str, Entity], missing: str, language: Language
) -> Request:
    """Fill a frame; `missing` is the letter of the role to leave out, or empty."""
    lines = {name: _fill(line[language], cast, language) for name, line in frame.lines.items()}
    about = tuple(cast[letter] for letter in frame.letters)
    if not missing:
        return Request(lines["ask"], None, "", "", lines["answer"], about)
    entity = cast[missing]
    kind: Missing = (
        "who" if isinstance(entity, Actor) else "what" if isinstance(entity, Item) else "where"
    )
    return Request(
        text=lines[f"-{missing}"],
        missing=kind,
        question=lines[f"?{missing}"],
        fact=phrase(entity, "at" if kind == "where" else "known", language),
        answer=lines["answer"],
        about=about,
    )


def choose_missing(frame: Frame, rng: random.Random) -> str:
    """Choose the role to leave out; nothing is left out as often as each one is."""
    return rng.choice(("", *frame.letters))


def _fill(line: str, cast: Mapping[str, Entity], language: Language) -> str:
    def word(match: re.Match[str]) -> str:
        form: Form = "at" if match[1] else "name" if match[2] == "p" else "known"
        return phrase(cast[match[2]], form, language)

    return re.sub(r"\{(@?)(\w)\}", word, line)


def _read_frames() -> tuple[Frame, ...]:
    frames: dict[str, dict[str, dict[Language, str]]] = {}
    for row in _TABLE.strip().splitlines():
        head, english = row.split("|")
        name, line, chinese = head.split()
        frames.setdefault(name, {})[line] = {"zh": chinese, "en": english.strip()}
    return tuple(Frame(name, lines) for name, lines in frames.items())


FRAMES: tuple[Frame, ...] = _read_frames()
