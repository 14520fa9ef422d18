"""Long documents: cut where sentences end into parts that fit, and put together again.

A model sees no more than its context. A document that is longer is cut into as few parts as fit,
of about the same length, at the ends of paragraphs where these are short enough and at the ends of
sentences else; every character is in exactly one part.

    python -m hanlin.tasks.parts
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from hanlin.text.augmentation import cut_sentences

__all__ = ["join_summaries", "split_document"]


def split_document(document: str, most: int, length: Callable[[str], int]) -> list[str]:
    """Cut a document into parts whose length is at most `most`.

    >>> split_document("One two. Three four. Five.", 12, len)
    ['One two. ', 'Three four. ', 'Five.']
    """
    whole = length(document)
    if whole <= most:
        return [document]
    # As many parts as the length asks for, evened out; best is what they would all have.
    even = min(most, -(-whole // -(-whole // most)) * 9 // 8)
    parts: list[str] = []
    filled = 0
    for piece in _pieces(document, most, length):
        size = length(piece)
        if parts and filled + size <= even:
            parts[-1] += piece
            filled += size
        else:
            parts.append(piece)
            filled = size
    return parts


def join_summaries(summaries: Sequence[str], language: str) -> str:
    """Return the summaries of a document's parts as one, what is said twice only once."""
    kept = dict.fromkeys(text for text in summaries if text)
    return ("" if language == "zh" else " ").join(kept)


def _pieces(document: str, most: int, length: Callable[[str], int]) -> Iterator[str]:
    """Yield paragraphs, or the sentences of one that is too long, or pieces of such a sentence."""
    for paragraph in document.splitlines(keepends=True):
        if length(paragraph) <= most:
            yield paragraph
            continue
        for sentence in cut_sentences(paragraph):
            yield from _halves(sentence, most, length)


def _halves(text: str, most: int, length: Callable[[str], int]) -> Iterator[str]:
    if length(text) <= most or len(text) < 2:
        yield text
        return
    middle = len(text) // 2
    yield from _halves(text[:middle], most, length)
    yield from _halves(text[middle:], most, length)


if __name__ == "__main__":
    print(split_document("小猫跑了。小狗看见鱼。鱼游走了。", 10, len))
