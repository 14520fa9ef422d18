"""Cut unspaced text into words with a word model and dynamic programming (Viterbi).

The word model is the hierarchical Dirichlet one again, one step longer at the bottom, so that every
string has a probability as a word (Goldwater, Griffiths & Johnson 2009):

    p(w | v) = (c(v w) + beta p(w)) / (c(v) + beta)          bigrams, prior: the unigrams
    p(w)     = (c(w) + alpha p0(w)) / (N + alpha)            unigrams, prior: spelling
    p0(w)    = stop (1 - stop)^(len - 1) prod q(character)   a word spelt by a geometric process

`segment` finds the cut with the highest product of p(w | v). It keeps, for each pair of start and
end of a last word, the best way there: O(length * longest^2) steps.

    python -m hanlin.models.ngram.segmentation
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from pathlib import Path

from hanlin.errors import DataError

__all__ = ["WordModel", "segment"]

_START = ""  # the word before the first


@dataclass(frozen=True)
class WordModel:
    """Word counts, and where known counts of word pairs, with their priors."""

    unigrams: Mapping[str, int]
    """Occurrences of each word."""
    bigrams: Mapping[tuple[str, str], int]
    """Occurrences of each pair of neighbours; the first word's left neighbour is the empty string.
    Empty for a unigram model."""
    alpha: float = 1.0
    """Observations that the spelling prior is worth."""
    beta: float = 100.0
    """Observations that the unigram prior of a pair is worth."""
    stop: float = 0.5
    """Chance that a word made up by the spelling prior ends after a character."""

    def __post_init__(self) -> None:
        """Refuse a word list without counts."""
        if not self.unigrams or min(self.unigrams.values()) < 1:
            raise DataError("A word model needs words, each with a count of at least 1.")

    @classmethod
    def fit(cls, sentences: Iterable[Sequence[str]]) -> WordModel:
        """Count the words and neighbours of sentences that are cut already."""
        unigrams: Counter[str] = Counter()
        bigrams: Counter[tuple[str, str]] = Counter()
        for words in sentences:
            unigrams.update(words)
            bigrams.update(pairwise([_START, *words]))
        return cls(unigrams, bigrams)

    @classmethod
    def read(cls, path: Path) -> WordModel:
        """Read a word list: a word, a space or tab, and its count on each line."""
        unigrams: dict[str, int] = {}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            fields = line.split()
            if not fields:
                continue
            if len(fields) < 2 or not fields[1].isdigit():
                raise DataError(f"{path}, line {number}: {line!r} is not a word and its count.")
            unigrams[fields[0]] = unigrams.get(fields[0], 0) + int(fields[1])
        return cls(unigrams, {})

    @property
    def longest(self) -> int:
        """Characters in the longest word."""
        return max(map(len, self.unigrams))

    def logprob(self, word: str, previous: str = _START) -> float:
        """Return ln p(word | previous); any string has one."""
        return self._logprob_after(previous, word, self.probability(word))

    def probability(self, word: str) -> float:
        """Return p(word) whatever stands before it."""
        count = self.unigrams.get(word, 0) + self.alpha * self._spelling(word)
        return count / (self._total + self.alpha)

    def _logprob_after(self, previous: str, word: str, unigram: float) -> float:
        count = self.bigrams.get((previous, word), 0) + self.beta * unigram
        return math.log(count / (self._followed.get(previous, 0) + self.beta))

    @cached_property
    def _total(self) -> int:
        return sum(self.unigrams.values())

    @cached_property
    def _followed(self) -> Counter[str]:
        followed: Counter[str] = Counter()
        for (previous, _), count in self.bigrams.items():
            followed[previous] += count
        return followed

    @cached_property
    def _characters(self) -> Counter[str]:
        characters: Counter[str] = Counter()
        for word, count in self.unigrams.items():
            for character in word:
                characters[character] += count
        return characters

    @cached_property
    def _num_characters(self) -> int:
        return self._characters.total()

    def _spelling(self, word: str) -> float:
        # One more observation is spread over all of Unicode, for characters never seen.
        probability = self.stop * (1 - self.stop) ** (len(word) - 1)
        for character in word:
            seen = self._characters.get(character, 0) + 1 / 0x110000
            probability *= seen / (self._num_characters + 1)
        return probability


def segment(text: str, model: WordModel, *, longest: int | None = None) -> list[str]:
    """Return the most probable words of `text`; white space always parts words and is dropped.

    `longest` bounds a word's characters; without it the model's longest word does.

    >>> words = {"研究": 5, "研究生": 2, "生命": 4, "起源": 3, "命": 1}
    >>> segment("研究生命起源", WordModel(words, {}))
    ['研究', '生命', '起源']
    """
    bound = max(1, longest or model.longest)
    return list(chain.from_iterable(_segment_run(run, model, bound) for run in text.split()))


def _segment_run(text: str, model: WordModel, longest: int) -> list[str]:
    # best[end][start]: ln p of the best cut of text[:end] whose last word is text[start:end],
    # with the start of the word before it.
    best: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]
    for end in range(1, len(text) + 1):
        best.append({})
        for start in range(max(0, end - longest), end):
            word = text[start:end]
            unigram = model.probability(word)
            best[end][start] = max(
                (score + model._logprob_after(text[before:start], word, unigram), before)
                for before, (score, _) in best[start].items()
            )
    return _trace_back(text, best)


def _trace_back(text: str, best: Sequence[Mapping[int, tuple[float, int]]]) -> list[str]:
    words: list[str] = []
    end = len(text)
    start = max(best[end], key=lambda candidate: best[end][candidate][0])
    while end > 0:
        words.append(text[start:end])
        start, end = best[end][start][1], start
    return words[::-1]


if __name__ == "__main__":
    counts = {"南京": 5, "南京市": 4, "市长": 6, "长江": 6, "大桥": 5, "江": 1, "长江大桥": 3}
    print(" / ".join(segment("南京市长江大桥", WordModel(counts, {}))))
