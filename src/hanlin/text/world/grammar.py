"""Events to sentences and back, from the one table of wordings.

Writing fills a template's slots with phrases. Reading finds the phrases in a sentence, puts a
symbol in the place of each, looks the remaining skeleton up (`ⒶgaveⓉtoⒶ`), and accepts the
sentence only if its phrases are exactly those that writing would have used. So both directions
share every word, and neither holds a list that the other lacks.

    python -m hanlin.text.world --seed 3
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from hanlin.text.world.actions import ACTIONS, Action, Kind, Role
from hanlin.text.world.entities import Actor, Entity, Form, Language, phrase
from hanlin.text.world.lexicon import PRONOUNS
from hanlin.text.world.phrases import SYMBOLS, FoundPhrase, PhraseFinder
from hanlin.text.world.state import Event
from hanlin.text.world.wording import CONNECTIVES, FRAMES, SENTENCES

__all__ = ["Grammar", "Reading", "Template", "antecedent", "grammar_of"]

CONNECTIVE_SHARE, PRONOUN_SHARE, PLAIN_SHARE = 0.15, 0.15, 0.7


@dataclass(frozen=True, slots=True)
class Slot:
    """A gap in a template: the index of a role and the form of its phrase."""

    role: int
    form: Form


@dataclass(frozen=True, eq=False)
class Template:
    """One way to say an action: pieces of fixed text and slots in turn; each is made once."""

    action: Action
    parts: tuple[str | Slot, ...]

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """The slots, in the order of the sentence."""
        return tuple(part for part in self.parts if isinstance(part, Slot))

    @cached_property
    def starts_with_actor(self) -> bool:
        """Whether a known actor stands first and alone, where a pronoun may take its place."""
        first = self.parts[0]
        if isinstance(first, str) or self.parts[1:2] in (("和",), (" and ",)):
            return False
        return self.action.roles[first.role].is_actor and first.form == "known"

    @property
    def skeleton(self) -> str:
        """The sentence with a symbol in the place of each phrase."""
        return "".join(
            part if isinstance(part, str) else _symbol(self.action.roles[part.role])
            for part in self.parts
        )

    def actors(self, event: Event) -> tuple[Actor, ...]:
        """Return the actors of an event in the order of the sentence."""
        mentioned = [event.entities[slot.role] for slot in self.slots]
        return tuple([entity for entity in mentioned if isinstance(entity, Actor)])


@dataclass(frozen=True, slots=True)
class Reading:
    """What a sentence says: its event, its actors in order, and a pronoun that has no referent."""

    event: Event
    actors: tuple[Actor, ...]
    unclear: str = ""
    frame: str = ""
    """What stands before the event: a time of day, a connective."""


def antecedent(pronoun: str, actors: Sequence[Actor], cast: Sequence[Actor] = ()) -> Actor | None:
    """Return whom a pronoun means, if that is clear.

    It means the only one who goes by it in the sentence before (`actors`) or, if nobody there does,
    in the story so far (`cast`).
    """
    for group in (actors, cast):
        fitting = {actor.key: actor for actor in group if actor.pronoun == pronoun}
        if fitting:
            return next(iter(fitting.values())) if len(fitting) == 1 else None
    return None


class Grammar:
    """The sentences of one language."""

    def __init__(self, language: Language) -> None:
        """Compile the templates and the pattern of all phrases."""
        self.language = language
        self.templates = {
            name: tuple(_compile(ACTIONS[name], text) for text in sentences[language])
            for name, sentences in SENTENCES.items()
        }
        self._stop, self._space = ("。", "") if language == "zh" else (".", " ")
        self._sentence = re.compile(
            r"[^。！？]+[。！？]”?" if language == "zh" else r'[^.!?]+[.!?]"?'
        )
        self._finder = PhraseFinder(language)
        self._skeletons: dict[tuple[Kind, str], list[Template]] = defaultdict(list)
        for templates in self.templates.values():
            for template in templates:
                key = (template.action.kind, template.skeleton)
                self._skeletons[key].append(template)

    def write(self, events: Sequence[Event], wording: int) -> str:
        """Tell a whole story, choosing among its wordings by a seed.

        Each sentence has a seed of its own, and what the languages have in common is drawn first:
        so both tell of the same time of day, and a changed event leaves the others as they were.
        """
        rng = random.Random()
        sentences = []
        actors: tuple[Actor, ...] = ()
        for index, event in enumerate(events):
            rng.seed(wording + index)
            frame, short = self._choose_frame(event.action.kind, rng), rng.random() < PRONOUN_SHARE
            template = self._choose_template(event, rng)
            if event.action.kind == "middle" and isinstance(template.parts[0], str):
                frame = ""
            subject = event.subject
            clear = subject is not None and antecedent(subject.pronoun, actors) == subject
            short = short and clear and template.starts_with_actor
            sentences.append(self.write_sentence(event, template, frame=frame, short=short))
            actors = template.actors(event)
        return self._space.join(sentences)

    def write_sentence(
        self,
        event: Event,
        template: Template | None = None,
        *,
        frame: str = "",
        short: bool = False,
    ) -> str:
        """Write one sentence; `short` puts a pronoun in the place of the subject."""
        template = template or self.templates[event.name][0]
        language, entities = self.language, event.entities
        words = [
            part if isinstance(part, str) else phrase(entities[part.role], part.form, language)
            for part in template.parts
        ]
        if short and event.subject:
            words[0] = self._pronoun(event.subject.pronoun)
        if not frame:
            words[0] = words[0][0].upper() + words[0][1:]
        body = frame + "".join(words)
        return body if body[-1] in '”"' else body + self._stop

    def split(self, text: str) -> list[str]:
        """Split a text into sentences; joined again they give the text, or it has none."""
        sentences = [match.lstrip(self._space) for match in self._sentence.findall(text)]
        return sentences if self._space.join(sentences) == text else []

    def read(
        self,
        sentence: str,
        kind: Kind,
        actors: Sequence[Actor] = (),
        cast: Sequence[Actor] = (),
    ) -> Reading | None:
        """Read one sentence; None if it is none of the world's.

        `actors` are those of the sentence before and `cast` those of the story so far: they say
        whom a pronoun means.
        """
        frame = self._find_frame(sentence, kind)
        if kind != "middle" and not frame:
            return None
        body = sentence[len(frame) :].removesuffix(self._stop)
        if (body[-1:] in ("”", '"')) == (sentence[-1] == self._stop):
            return None
        skeleton, found = self._finder.find(body)
        candidates = self._skeletons.get((kind, skeleton), ())
        for strict in (True, False):
            for template in candidates:
                reading = self._match(template, found, (actors, cast), capital=not frame)
                if reading and (not strict or _fits(template.action, reading.event)):
                    return replace(reading, frame=frame)
        return None

    def _match(
        self,
        template: Template,
        found: list[FoundPhrase],
        groups: tuple[Sequence[Actor], Sequence[Actor]],
        *,
        capital: bool,
    ) -> Reading | None:
        """Bind the phrases to a template's slots, if they are worded as its slots ask for."""
        if isinstance(template.parts[0], str) and not capital and template.action.kind == "middle":
            return None
        entities: dict[int, Entity] = {}
        unclear = ""
        for slot, read in zip(template.slots, found, strict=True):
            entity = read.entity
            if entity is None and template.starts_with_actor:
                entity = antecedent(read.pronoun, *groups)
                unclear = "" if entity else read.words
                entity = entity or _someone(read.pronoun, [*groups[0], *groups[1]])
            if entity is None or self._expected(slot, read, capital) != read.words:
                return None
            entities[slot.role] = entity
        event = Event(template.action.name, tuple(entities[role] for role in sorted(entities)))
        return Reading(event, template.actors(event), unclear)

    def _expected(self, slot: Slot, read: FoundPhrase, capital: bool) -> str:
        """Return the words that writing would have put where a phrase was read."""
        if read.entity is None:
            words = self._pronoun(read.pronoun)
        else:
            words = phrase(read.entity, slot.form, self.language)
        return words[0].upper() + words[1:] if capital and read.start == 0 else words

    def _choose_template(self, event: Event, rng: random.Random) -> Template:
        plain, *others = self.templates[event.name]
        return rng.choice(others) if others and rng.random() >= PLAIN_SHARE else plain

    def _choose_frame(self, kind: Kind, rng: random.Random) -> str:
        if kind != "middle":
            return rng.choice(FRAMES[kind][self.language])
        frame = rng.choice(CONNECTIVES[self.language])
        return frame if rng.random() < CONNECTIVE_SHARE else ""

    def _find_frame(self, sentence: str, kind: Kind) -> str:
        frames = CONNECTIVES if kind == "middle" else FRAMES[kind]
        return next((frame for frame in frames[self.language] if sentence.startswith(frame)), "")

    def _pronoun(self, pronoun: str) -> str:
        return PRONOUNS[pronoun] if self.language == "zh" else pronoun


@lru_cache(maxsize=2)
def grammar_of(language: Language) -> Grammar:
    """Return the grammar of a language, compiled once."""
    return Grammar(language)


def _compile(action: Action, text: str) -> Template:
    letters = [role.letter for role in action.roles]
    parts: list[str | Slot] = []
    for fixed, mark, letter in re.findall(r"([^{]*)(?:\{([+@]?)(\w)\})?", text):
        if fixed:
            parts.append(fixed)
        if letter:
            parts.append(_slot(action, letters.index(letter), mark))
    return Template(action, tuple(parts))


def _slot(action: Action, role: int, mark: str) -> Slot:
    if action.roles[role].is_place:
        return Slot(role, "at" if mark == "@" else "name")
    return Slot(role, "new" if mark == "+" else "known")


def _symbol(role: Role) -> str:
    return SYMBOLS["actor" if role.is_actor else "place" if role.is_place else "thing"]


def _fits(action: Action, event: Event) -> bool:
    """Whether every entity has the trait that its role asks for."""
    pairs = zip(action.roles, event.entities, strict=True)
    return all(not role.trait or role.trait in entity.traits for role, entity in pairs)


def _someone(pronoun: str, actors: Sequence[Actor]) -> Actor | None:
    """Return the actor that an unclear pronoun most likely means, to read on with."""
    return next((actor for actor in actors if actor.pronoun == pronoun), next(iter(actors), None))
