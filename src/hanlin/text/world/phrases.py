"""Find the phrases of a sentence: who and what it speaks of, and where.

One pattern a language finds every candidate, well formed or not; the grammar then compares each
with the phrase that it would have written itself.

    python -m hanlin.text.world --seed 3
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hanlin.text.world.entities import COLOURS, COUNTS, SIZES, Actor, Entity, Item, Language, Thing
from hanlin.text.world.lexicon import ACTORS, PLACES, PRONOUNS, THINGS

__all__ = ["SYMBOLS", "FoundPhrase", "PhraseFinder"]

SYMBOLS = {"actor": "Ⓐ", "thing": "Ⓣ", "place": "Ⓟ"}
"""What stands for a phrase in the skeleton of a sentence."""


@dataclass(frozen=True, slots=True)
class FoundPhrase:
    """A phrase in a sentence: its words, where it starts, and its entity or its pronoun."""

    words: str
    start: int
    entity: Entity | None
    pronoun: str = ""


class PhraseFinder:
    """Finds the phrases of one language."""

    def __init__(self, language: Language) -> None:
        """Compile the pattern and the lookups from the lexicon."""
        self._language = language
        self._actors = {_words(actor, language): actor for actor in ACTORS.values()}
        self._places = {_words(place, language): place for place in PLACES.values()}
        self._places |= {place.zh_at: place for place in PLACES.values() if language == "zh"}
        self._things = dict(self._thing_words())
        index = 0 if language == "zh" else 1
        self._counts = {words[index]: count for count, words in COUNTS.items()}
        self._colours = {zh if language == "zh" else en: en for en, zh in COLOURS.items()}
        self._sizes = {zh if language == "zh" else en: en for en, zh in SIZES.items()}
        self._pronouns = {zh if language == "zh" else en: en for en, zh in PRONOUNS.items()}
        self._pattern = re.compile(self._chinese() if language == "zh" else self._english())
        self._known: dict[str, tuple[str, Entity | None, str]] = {}

    def find(self, body: str) -> tuple[str, list[FoundPhrase]]:
        """Return the skeleton of a sentence and its phrases in order.

        >>> PhraseFinder("en").find("Ming gave the red apple to her")[0]
        'Ⓐ gave Ⓣ to her'
        """
        found: list[FoundPhrase] = []
        pieces: list[str] = []
        end = 0
        for match in self._pattern.finditer(body):
            words = match.group()
            known = self._known.get(words)
            if known is None:
                known = self._known[words] = self._read(match)
            symbol, entity, pronoun = known
            if not symbol:
                continue
            found.append(FoundPhrase(words, match.start(), entity, pronoun))
            pieces += (body[end : match.start()], symbol)
            end = match.end()
        pieces.append(body[end:])
        return "".join(pieces), found

    def _read(self, match: re.Match[str]) -> tuple[str, Entity | None, str]:
        groups = match.groupdict()
        if name := groups["actor"]:
            return SYMBOLS["actor"], self._actors[name], ""
        if name := groups["place"]:
            return SYMBOLS["place"], self._places[name], ""
        if pronoun := groups["pronoun"]:
            return SYMBOLS["actor"], None, self._pronouns[pronoun.lower()]
        thing = self._things.get((groups.get("head") or "", groups["noun"]))
        if thing is None:
            return "", None, ""
        adjective = groups["adjective"] or ""
        colour, size = self._colours.get(adjective, ""), self._sizes.get(adjective, "")
        count = self._counts.get(groups["number"] or "", 1)
        return SYMBOLS["thing"], Item(thing, colour, size, count), ""

    def _thing_words(self) -> Iterator[tuple[tuple[str, str], Thing]]:
        for thing in THINGS.values():
            if self._language == "zh":
                yield ("", thing.zh), thing
                continue
            for pattern in (thing.en, thing.plural):
                head, _, noun = pattern.partition("{}")
                yield (head, noun), thing

    def _chinese(self) -> str:
        measures = {thing.measure for thing in THINGS.values()}
        classifiers = {actor.measure for actor in ACTORS.values()} - {""}
        # Things come before actors: 小雨伞 is a small umbrella and not 小雨 with something after.
        return (
            f"(?P<place>{_any(self._places)})"
            f"|(?:那?(?P<number>{_any(self._counts)}){_any(measures)})?"
            f"(?P<adjective>{_any([*self._colours, *self._sizes])})?"
            f"(?P<noun>{_any(noun for _, noun in self._things)})"
            f"|(?:一{_any(classifiers)})?(?P<actor>{_any(self._actors)})"
            rf"|\A(?P<pronoun>{_any(self._pronouns)})"
        )

    def _english(self) -> str:
        article = "(?:[Tt]he |[Aa]n? )?"
        prepositions = {place.preposition for place in PLACES.values()}
        heads = {head for head, _ in self._things} - {""}
        return (
            rf"\b(?:{article}(?P<actor>{_any(self._actors)})"
            rf"|(?:{_any(prepositions)} )?the (?P<place>{_any(self._places)})"
            rf"|{article}(?:(?P<number>{_any(self._counts)}) )?(?P<head>{_any(heads)})?"
            rf"(?:(?P<adjective>{_any([*self._colours, *self._sizes])}) )?"
            rf"(?P<noun>{_any(noun for _, noun in self._things)})"
            r"|\A(?P<pronoun>[Hh]e|[Ss]he|[Ii]t))\b"
        )


def _words(entity: Actor | Entity, language: Language) -> str:
    assert not isinstance(entity, Item)
    return entity.zh if language == "zh" else entity.en


def _any(words: Iterable[str]) -> str:
    """Return a pattern for any of the words, the longest first."""
    ordered = sorted(set(words), key=lambda word: (-len(word), word))
    return f"(?:{'|'.join(map(re.escape, ordered))})"
