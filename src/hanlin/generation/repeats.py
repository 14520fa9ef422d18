"""Repetition: the penalty DRY, and n-grams that must not come twice.

DRY ("don't repeat yourself") looks where the end of the text has stood before. A token that
followed there, after `match` equal tokens, loses

    multiplier x base ** (match - allowed)    if match >= allowed

so that a loop becomes ever less likely while a name may return. Matches end at breakers (sentence
marks, line ends) and at control tokens. A forbidden n-gram is the hard form of the same thing. Both
leave a character alone that has begun: its other bytes come again whenever it does.

`longest_matches_reference` says in plain loops what `longest_matches` finds.

    python -m hanlin.generation.repeats
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hanlin.config import SamplingConfig
from hanlin.generation.borders import CharacterBorders
from hanlin.generation.rule import Rule
from hanlin.generation.vocabulary import Vocabulary

__all__ = [
    "DontRepeatYourself",
    "NoRepeatedNgram",
    "longest_matches",
    "longest_matches_reference",
    "match_places",
]

_LONGEST = 64
"""Tokens beyond which a match counts no further."""


class DontRepeatYourself(Rule):
    """The penalty DRY on one text."""

    def __init__(
        self, sampling: SamplingConfig, vocabulary: Vocabulary, prompt: Sequence[int]
    ) -> None:
        """Begin after a prompt, whose text counts as said."""
        self._sampling = sampling
        self._vocabulary = vocabulary
        self._breakers = tuple(text.encode() for text in sampling.dry_breakers if text)
        self._ids = list(prompt)
        self._borders = CharacterBorders(vocabulary.piece(token) for token in prompt[-4:])

    def steer(self, logits: Tensor) -> None:
        """Lower the logits of tokens that would go on with a repetition."""
        if self._borders.inside:
            return
        config = self._sampling
        found = longest_matches(self._since_breaker(), self._ids)
        for token, match in found.items():
            if match >= config.dry_allowed and token not in self._vocabulary.control:
                logits[token] -= config.dry_multiplier * config.dry_base ** (
                    match - config.dry_allowed
                )

    def take(self, token: int) -> None:
        """Note a token that was written."""
        self._ids.append(token)
        self._borders.push(self._vocabulary.piece(token))

    def _since_breaker(self) -> int:
        """Return how many tokens stand after the last breaker, as far as it matters."""
        for count in range(min(_LONGEST, len(self._ids))):
            token = self._ids[-1 - count]
            piece = self._vocabulary.piece(token)
            if token in self._vocabulary.control or any(b in piece for b in self._breakers):
                return count
        return _LONGEST


class NoRepeatedNgram(Rule):
    """Forbids tokens that would complete an n-gram for the second time."""

    def __init__(self, size: int, vocabulary: Vocabulary, prompt: Sequence[int]) -> None:
        """Begin after a prompt, whose n-grams count as written."""
        self._size = size
        self._vocabulary = vocabulary
        self._ids = list(prompt)
        self._borders = CharacterBorders(vocabulary.piece(token) for token in prompt[-4:])

    def steer(self, logits: Tensor) -> None:
        """Forbid what would repeat, unless nothing else were left."""
        if self._borders.inside:
            return
        found = self._following() - self._vocabulary.control
        if found and len(found) < len(logits):
            logits[torch.tensor(sorted(found), device=logits.device)] = -torch.inf

    def take(self, token: int) -> None:
        """Note a token that was written."""
        self._ids.append(token)
        self._borders.push(self._vocabulary.piece(token))

    def _following(self) -> set[int]:
        if self._size == 1:
            return set(self._ids)
        matched = longest_matches(self._size - 1, self._ids)
        return {token for token, match in matched.items() if match == self._size - 1}


def longest_matches(most: int, ids: Sequence[int]) -> dict[int, int]:
    """Return, for each token that followed an earlier match of the end, the longest match.

    >>> longest_matches(9, [1, 2, 3, 9, 2, 3, 8, 1, 2, 3])
    {9: 3, 8: 2}
    """
    array = np.asarray(ids, dtype=np.int64)
    found: dict[int, int] = {}
    for length, places in enumerate(match_places(array, most), start=1):
        found |= dict.fromkeys(array[places].tolist(), length)
    return found


def match_places(ids: NDArray[np.int64], most: int) -> list[NDArray[np.int64]]:
    """Return, for lengths 1, 2, ... up to `most`, the places after earlier matches of the end."""
    found: list[NDArray[np.int64]] = []
    if len(ids) < 2:
        return found
    places = np.flatnonzero(ids[:-1] == ids[-1]) + 1
    while len(places) and len(found) < most:
        found.append(places)
        length = len(found)
        places = places[places > length]
        places = places[ids[places - 1 - length] == ids[len(ids) - 1 - length]]
    return found


def longest_matches_reference(most: int, ids: Collection[int]) -> dict[int, int]:
    """Return what `longest_matches` does, in plain loops."""
    words = list(ids)
    found: dict[int, int] = {}
    for place in range(1, len(words)):
        match = 0
        while match < min(place, most) and words[place - 1 - match] == words[-1 - match]:
            match += 1
        if match:
            found[words[place]] = max(match, found.get(words[place], 0))
    return found


if __name__ == "__main__":
    print(longest_matches(_LONGEST, [ord(letter) for letter in "the cat and the c"]))
