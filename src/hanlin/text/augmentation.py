"""Marked transformations of a text: reverse, permute, sort, infill, repeat.

A transformed text begins with a marker that no plain text can hold, so that it is never mistaken
for plain text. It is a tuple of parts, each a marker and the text that follows it:

    reverse   <|reverse|> runs of up to 25 words, the last first, <|sep|> between them; or
              <|reverse|> single words, the last first, <|original|> the text
              (Golovneva et al. 2024, arXiv:2403.13799)
    permute   <|permute|> shuffled sentences <|original|> the text (Lewis et al. 2020, BART)
    sort      <|sort|> sentences from short to long <|original|> the text; or
              <|permute|> shuffled sentences <|sort|> the same from short to long
    infill    <|fim_prefix|> a <|fim_suffix|> c <|fim_middle|> b, or the suffix before the prefix
              (Bavarian et al. 2022, arXiv:2207.14255)
    repeat    <|copy|> the text <|original|> the text

Words are those of our segmentation; characters are never split. Everything is a pure function of
the text and of the generator that is passed.

    python -m hanlin.text.augmentation
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hanlin.text.segmentation import segment_words

__all__ = [
    "COPY",
    "FIM_MIDDLE",
    "FIM_PREFIX",
    "FIM_SUFFIX",
    "MARKERS",
    "ORIGINAL",
    "PERMUTE",
    "REVERSE",
    "SEPARATOR",
    "SORT",
    "TRANSFORMATIONS",
    "Marked",
    "Part",
    "Transformation",
    "cut_passages",
    "cut_runs",
    "cut_sentences",
    "cut_words",
    "restore",
    "reverse_words",
]

REVERSE, PERMUTE, SORT = "<|reverse|>", "<|permute|>", "<|sort|>"
ORIGINAL, COPY, SEPARATOR = "<|original|>", "<|copy|>", "<|sep|>"
FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE = "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"
MARKERS = (
    *(REVERSE, PERMUTE, SORT, ORIGINAL, COPY),
    *(FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE, SEPARATOR),
)
"""Every control token that a transformed text can hold."""

_LONGEST_RUN = 25
_SENTENCE = re.compile(
    r".+?(?:[。！？…]+[”’」』）》]*|[.!?]+[\"')\]”’]*(?=\s|\Z)|(?=\n)|\Z)\s*", re.DOTALL
)


class Part(NamedTuple):
    """A marker and the ordinary text after it."""

    marker: str
    text: str


Marked = tuple[Part, ...]
"""A transformed text."""


@dataclass(frozen=True, slots=True)
class Transformation:
    """A transformation of text, and how many times the text it holds what it is given."""

    apply: Callable[[str, random.Random], Marked | None]
    """Returns the transformed text; None where a text is too short to be transformed."""
    copies: int


def cut_words(text: str) -> list[str]:
    """Return the words of a text, each with the white space before it; joined, they are the text.

    >>> cut_words("The river, 滚滚长江")
    ['The', ' river', ',', ' 滚滚', '长江']
    """
    pieces: list[str] = []
    end = 0
    for word in segment_words(text):
        start, end = end, text.index(word, end) + len(word)
        pieces.append(text[start:end])
    return [*pieces, text[end:]] if end < len(text) else pieces


def cut_sentences(text: str) -> list[str]:
    """Return the sentences of a text, each with the white space after it; joined, they are it.

    >>> cut_sentences("天黑了。Pi is 3.14. Good!")
    ['天黑了。', 'Pi is 3.14. ', 'Good!']
    """
    return _SENTENCE.findall(text)


def cut_runs(text: str, rng: random.Random, *, longest: int = _LONGEST_RUN) -> list[str]:
    """Return a text as runs of 1 to `longest` words; joined, they are the text."""
    words = cut_words(text)
    runs: list[str] = []
    start = 0
    while start < len(words):
        stop = start + rng.randint(1, longest)
        runs.append("".join(words[start:stop]))
        start = stop
    return runs


def cut_passages(text: str, size: Callable[[str], int], most: int) -> Iterator[str]:
    """Yield a text as passages of whole sentences whose sizes add up to at most `most`.

    A sentence that is larger by itself is left out.
    """
    passage, filled = "", 0
    for sentence in cut_sentences(text):
        length = size(sentence)
        if filled + length > most:
            if passage:
                yield passage
            passage, filled = "", 0
        if length <= most:
            passage, filled = passage + sentence, filled + length
    if passage:
        yield passage


def reverse_words(text: str) -> str:
    """Return a text with its words in reverse order.

    >>> reverse_words("The river rolls on.")
    '. on rolls riverThe'
    """
    return "".join(reversed(cut_words(text)))


def restore(marked: Marked) -> str:
    """Return the well-formed text that a transformed one stands for: every form can be undone.

    Of an exercise in sorting, that is the sorted sentences.
    """
    texts = {part.marker: part.text for part in marked}
    if FIM_MIDDLE in texts:
        return texts[FIM_PREFIX] + texts[FIM_MIDDLE] + texts[FIM_SUFFIX]
    if ORIGINAL in texts:
        return texts[ORIGINAL]
    if marked[0].marker == REVERSE:
        return "".join(part.text for part in reversed(marked))
    return marked[-1].text


def _reverse(text: str, rng: random.Random) -> Marked | None:
    words = cut_words(text)
    if len(words) < 2:
        return None
    if rng.random() < 0.5:
        return Part(REVERSE, "".join(reversed(words))), Part(ORIGINAL, text)
    runs = cut_runs(text, rng, longest=min(_LONGEST_RUN, len(words) - 1))[::-1]
    return Part(REVERSE, runs[0]), *(Part(SEPARATOR, run) for run in runs[1:])


def _permute(text: str, rng: random.Random) -> Marked | None:
    cores, gaps = _cores_and_gaps(text)
    shuffled = _shuffled(cores, rng)
    if shuffled is None or _join(shuffled, gaps) == text:
        return None
    return Part(PERMUTE, _join(shuffled, gaps)), Part(ORIGINAL, text)


def _sort(text: str, rng: random.Random) -> Marked | None:
    cores, gaps = _cores_and_gaps(text)
    ordered = sorted(cores, key=len)
    shuffled = _shuffled(ordered, rng)
    if shuffled is None:
        return None
    if rng.random() < 0.5:
        return Part(PERMUTE, _join(shuffled, gaps)), Part(SORT, _join(ordered, gaps))
    return Part(SORT, _join(ordered, gaps)), Part(ORIGINAL, text)


def _infill(text: str, rng: random.Random) -> Marked | None:
    words = cut_words(text)
    if len(words) < 2:
        return None
    first = rng.randrange(len(words))
    last = rng.randint(first + 1, len(words))
    prefix, middle, suffix = (
        "".join(part) for part in (words[:first], words[first:last], words[last:])
    )
    outside = (Part(FIM_PREFIX, prefix), Part(FIM_SUFFIX, suffix))
    if rng.random() < 0.5:
        outside = outside[::-1]
    return *outside, Part(FIM_MIDDLE, middle)


def _repeat(text: str, rng: random.Random) -> Marked | None:
    del rng
    return (Part(COPY, text), Part(ORIGINAL, text)) if text.strip() else None


TRANSFORMATIONS: Mapping[str, Transformation] = {
    "reverse": Transformation(_reverse, 2),
    "permute": Transformation(_permute, 2),
    "sort": Transformation(_sort, 2),
    "infill": Transformation(_infill, 1),
    "repeat": Transformation(_repeat, 2),
}
"""All transformations by the name that a recipe gives them."""


def _cores_and_gaps(text: str) -> tuple[list[str], list[str]]:
    """Return sentences without the white space after them, and that space, which stays in place."""
    sentences = cut_sentences(text)
    cores = [sentence.rstrip() for sentence in sentences]
    return cores, [s[len(core) :] for s, core in zip(sentences, cores, strict=True)]


def _join(cores: Sequence[str], gaps: Sequence[str]) -> str:
    return "".join(core + gap for core, gap in zip(cores, gaps, strict=True))


def _shuffled(items: Sequence[str], rng: random.Random) -> list[str] | None:
    """Return items in another order; None where every order is the same."""
    if len(set(items)) < 2:
        return None
    shuffled = list(items)
    while shuffled == list(items):
        rng.shuffle(shuffled)
    return shuffled


if __name__ == "__main__":
    example = "小猫在河边看见一条鱼。The cat saw a fish. 它跳进水里，鱼游走了。"
    for name, transformation in TRANSFORMATIONS.items():
        parts = transformation.apply(example, random.Random(1)) or ()
        print(f"{name:8}", "".join(part.marker + part.text for part in parts))
