"""Keywords of a document: found by counting, kept to what the document says, put in its order.

python -m hanlin.tasks.keywords
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations

from hanlin.text.segmentation import STOP_WORDS, segment_words

__all__ = ["find_keywords", "keep_present", "kendall_tau", "mention_order", "shared_keywords"]

MOST = 6
"""Keywords that are taken at most."""


def find_keywords(document: str, language: str, most: int = MOST) -> tuple[str, ...]:
    """Return the content words that a document uses most, in its own order.

    >>> find_keywords("小猫喜欢鱼。小猫吃了鱼。", "zh", most=2)
    ('小猫', '鱼')
    """
    counts = Counter(_content_words(document, language))
    return keep_present([word for word, _ in counts.most_common(most)], document, sort=True)


def shared_keywords(document: str, summary: str, language: str) -> tuple[str, ...]:
    """Return content words that a summary takes from its document, in the summary's order."""
    counts = Counter(_content_words(document, language))
    words = dict.fromkeys(word for word in _content_words(summary, language) if word in counts)
    best = sorted(words, key=lambda word: -counts[word])[:MOST]
    return keep_present(best, summary, sort=True)


def keep_present(words: Iterable[str], text: str, *, sort: bool = False) -> tuple[str, ...]:
    """Return each of the words that a text holds once, in the given or in the text's order.

    >>> keep_present(["Dog", "cat", "dog"], "The cat saw a dog.", sort=True)
    ('cat', 'Dog')
    """
    lower = text.casefold()
    kept: dict[str, str] = {}
    for word in words:
        if word and word.casefold() in lower:
            kept.setdefault(word.casefold(), word)
    places = sorted(kept, key=lower.index) if sort else list(kept)
    return tuple(kept[place] for place in places)


def mention_order(words: Sequence[str], text: str) -> list[int]:
    """Return the numbers of the words that a text mentions, in the order of first mention."""
    lower = text.casefold()
    places = [lower.find(word.casefold()) for word in words]
    return sorted((n for n, place in enumerate(places) if place >= 0), key=places.__getitem__)


def kendall_tau(order: Sequence[int]) -> float | None:
    """Return Kendall's rank correlation of an order with 0, 1, 2, ...; None below two items.

    >>> kendall_tau([0, 1, 2]), kendall_tau([2, 1, 0]), kendall_tau([0])
    (1.0, -1.0, None)
    """
    pairs = list(combinations(order, 2))
    if not pairs:
        return None
    return sum(1 if first < second else -1 for first, second in pairs) / len(pairs)


def _content_words(text: str, language: str) -> list[str]:
    """Return the words that carry a topic: no stop words, no marks, no single letters."""
    stops = STOP_WORDS.get(language, frozenset())
    words = segment_words(text, language)
    least = 1 if language == "zh" else 2
    return [
        word
        for word in words
        if word.casefold() not in stops and len(word) >= least and word[0].isalnum()
    ]


if __name__ == "__main__":
    print(find_keywords("小猫在河边看见一条鱼。小猫跳进水里，鱼游走了。", "zh"))
