"""Next-character accuracy: how often a model's most likely next character is the true one.

A model of tokens gives a character the probability of all tokens that begin with it, so

    p(character | text) = sum of p(token | text) over the tokens whose first character it is.

It is asked where a token of the text begins on a character's border, and nowhere inside a token;
accuracies are therefore comparable between models over the same tokenizer. A token that holds only
a part of a character stands for no character: a text that needs one there counts as missed, unless
another token holds that character whole and wins.

    python -m hanlin.evaluation.accuracy

Shapes: N positions, V vocabulary, G distinct first characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hanlin.evaluation.heldout import HeldOutDocument
from hanlin.evaluation.intervals import Share
from hanlin.evaluation.scorers import Scorer

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer

__all__ = ["FirstCharacters", "next_character_accuracy"]

_SPAN = 128  # tokens in a row that are asked of one document, so that a window is used well
_MOST_BYTES = 4  # of a character in UTF-8


class FirstCharacters:
    """For each token of a vocabulary, the character that it begins with."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Read the bytes of every token; control tokens begin with no character."""
        control = set(tokenizer.control.values())
        self.token_bytes = [
            b"" if token in control else tokenizer.token_bytes(token)
            for token in range(tokenizer.vocab_size)
        ]
        firsts = [first_character(data) for data in self.token_bytes]
        self.characters = sorted({first for first in firsts if first is not None})
        rank = {character: index for index, character in enumerate(self.characters)}
        groups = np.array([rank[first] if first is not None else -1 for first in firsts])
        self._tokens = np.argsort(groups, kind="stable")[np.count_nonzero(groups < 0) :]
        self._starts = np.searchsorted(groups[self._tokens], np.arange(len(self.characters)))

    def predict(self, distributions: NDArray[np.float64]) -> list[str]:
        """Return the most likely character of each distribution over tokens, (N, V) -> N."""
        sums = np.add.reduceat(distributions[:, self._tokens], self._starts, axis=1)  # (N, G)
        return [self.characters[best] for best in sums.argmax(axis=1)]

    def at(self, ids: NDArray[np.integer], position: int) -> str | None:
        """Return the character that begins with the token at `position`, None inside one."""
        piece = ids[position : position + _MOST_BYTES]
        return first_character(b"".join(self.token_bytes[token] for token in piece))


def next_character_accuracy(
    scorer: Scorer,
    tokenizer: Tokenizer,
    documents: Sequence[HeldOutDocument],
    rng: np.random.Generator,
    *,
    positions: int = 4000,
) -> dict[str, Share]:
    """Return the accuracy for each language, measured at up to `positions` places.

    The places are spans at random offsets of documents in random order, so give each scorer a
    generator of the same seed to compare them on the same places.
    """
    first_characters = FirstCharacters(tokenizer)
    accuracies: dict[str, Share] = {}
    for language in sorted({document.language for document in documents}):
        chosen = [document.ids for document in documents if document.language == language]
        accuracies[language] = _measure(scorer, first_characters, chosen, rng, positions)
    return accuracies


def first_character(data: bytes) -> str | None:
    """Return the character that UTF-8 bytes begin with, None where none is complete.

    >>> first_character("好人".encode()), first_character("好".encode()[:2])
    ('好', None)
    """
    for length in range(1, min(len(data), _MOST_BYTES) + 1):
        try:
            return data[:length].decode("utf-8")
        except UnicodeDecodeError:
            continue
    return None


def _measure(
    scorer: Scorer,
    first_characters: FirstCharacters,
    documents: Sequence[NDArray[np.integer]],
    rng: np.random.Generator,
    positions: int,
) -> Share:
    hits = total = 0
    for ids, span in _choose_spans(documents, rng):
        truth = {place: first_characters.at(ids, place) for place in span}
        asked = [place for place in span if truth[place] is not None][: positions - total]
        if asked:
            predicted = first_characters.predict(scorer.distributions(ids, asked))
            hits += sum(
                truth[place] == guess for place, guess in zip(asked, predicted, strict=True)
            )
            total += len(asked)
        if total >= positions:
            break
    return Share(hits, total)


def _choose_spans(
    documents: Sequence[NDArray[np.integer]], rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.integer], Iterable[int]]]:
    for index in rng.permutation(len(documents)):
        ids = documents[index]
        start = int(rng.integers(max(1, len(ids) - _SPAN + 1)))
        yield ids, range(start, min(len(ids), start + _SPAN))


if __name__ == "__main__":
    print(first_character("翰林".encode()))
