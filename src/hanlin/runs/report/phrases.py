"""Texts of the report that can be said in Chinese too: English that remembers its template.

A `Phrase` is its English text, so whoever builds a section writes English and thinks of nothing
else; `translate` says whole blocks anew by the one table of `hanlin.runs.report.chinese`. What is
no phrase (names, samples, claims as a run wrote them) stays as it is.

    python -m hanlin.runs.report.phrases
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from typing import Any, Literal, Self, TypeVar

from hanlin.runs.report.chinese import CHINESE

__all__ = ["LANGUAGES", "Language", "Phrase", "listed", "translate"]

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
_PLACES = re.compile(r"\{\w*\}")
_PUNCTUATION = {", ": "，", ": ": "：", " (": "（", ")": "）"}
Value = TypeVar("Value")


class Phrase(str):
    """English text made from a template and parts, which may be phrases themselves.

    >>> Phrase("{count} files restored", count="3")
    '3 files restored'
    """

    template: str
    parts: dict[str, str]

    def __new__(cls, template: str, **parts: str) -> Self:
        """Say the template in English."""
        phrase = super().__new__(cls, template.format(**parts) if parts else template)
        phrase.template, phrase.parts = template, parts
        return phrase

    def headed(self) -> Phrase:
        """Return the phrase with a capital at its beginning, where a language has such."""
        whole = str.__new__(Phrase, self[:1].upper() + self[1:])
        whole.template, whole.parts = self.template, self.parts
        return whole


def listed(texts: Iterable[str], separator: str = ", ") -> Phrase:
    """Return texts one after another.

    >>> listed(["a", "b"], " · ")
    'a · b'
    """
    parts = {f"text{place}": text for place, text in enumerate(texts)}
    return Phrase(separator.join(f"{{{name}}}" for name in parts), **parts)


def translate(value: Value, language: Language) -> Value:
    """Return a text, or everything in a block, in a language.

    >>> translate((Phrase("stage"), "base"), "zh")
    ('阶段', 'base')
    """
    found: Any = value
    if language == "en":
        return value
    if isinstance(value, Phrase):
        template = CHINESE.get(value.template) or _punctuated(value.template)
        parts = {name: translate(part, language) for name, part in value.parts.items()}
        found = template.format(**parts) if parts else template
    elif isinstance(value, tuple):
        found = tuple(translate(entry, language) for entry in value)
    elif is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value)]
        found = replace(value, **{n: translate(getattr(value, n), language) for n in names})
    return found  # type: ignore[no-any-return]


def _punctuated(template: str) -> str:
    """Return a template that has no words with the marks of Chinese, and any other as it is."""
    if any(letter.isalpha() for letter in _PLACES.sub("", template)):
        return template
    for mark, chinese in _PUNCTUATION.items():
        template = template.replace(mark, chinese)
    return template


if __name__ == "__main__":
    for english, chinese in CHINESE.items():
        print(f"{english}\t{chinese}")
