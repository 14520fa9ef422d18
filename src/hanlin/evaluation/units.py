"""What texts are counted in: characters for Chinese, words and punctuation for other languages.

python -m hanlin.evaluation.units
"""

from __future__ import annotations

import re

from hanlin.evaluation.heldout import short_language

__all__ = ["split_units"]

_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


def split_units(text: str, language: str) -> list[str]:
    """Return a text's units; white space is dropped, and the case of words does not count.

    >>> split_units("你好，世界", "zh-Hans"), split_units("Don't stop.", "en")
    (['你', '好', '，', '世', '界'], ["don't", 'stop', '.'])
    """
    if short_language(language) == "zh":
        return list("".join(text.split()))
    return _WORD.findall(text.lower())


if __name__ == "__main__":
    print(split_units("The cat's hat, again", "en"))
