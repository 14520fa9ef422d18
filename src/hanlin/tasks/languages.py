"""Which languages a record may be in, and whether its columns are what they are called.

python -m hanlin.tasks.languages
"""

from __future__ import annotations

from hanlin.errors import DataError
from hanlin.text import find_language, short_language

__all__ = ["check_columns", "known_language"]

_SURE = 200
"""Letters from which on a text in Latin letters is surely English or surely not."""


def known_language(text: str, place: str) -> str:
    """Return `zh` or `en`; a short text in Latin letters counts as English.

    >>> known_language("小猫跑了。", "here")
    'zh'

    Raises:
        DataError: it is neither, naming the place.
    """
    language = short_language(find_language(text))
    if language != "other":
        return language
    letters = [letter for letter in text if letter.isalpha()]
    latin = sum(letter < "\u0250" for letter in letters)
    if 2 * latin > len(letters) and len(letters) < _SURE:
        return "en"
    raise DataError(
        f"{place}: the text is neither Chinese nor English: {text[:40].strip()!r}. Only these two "
        "can be worked on; leave it out."
    )


def check_columns(zh: str, en: str, place: str) -> None:
    """Check that a Chinese and an English text are not each other.

    Raises:
        DataError: they are mixed up, or neither has a letter of its language.
    """
    found = short_language(find_language(zh)), short_language(find_language(en))
    if found[0] != "zh" and found[1] == "zh":
        raise DataError(
            f"{place}: the columns look mixed up: 'en' holds Chinese and 'zh' does not. Swap them."
        )
    known_language(zh, f"{place}, 'zh'")
    known_language(en, f"{place}, 'en'")


if __name__ == "__main__":
    print(known_language("小猫跑了。", "here"), known_language("A cat ran.", "here"))
