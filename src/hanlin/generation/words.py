"""Texts and tokens that a continuation shall have, or shall not have.

Banned texts are looked for in the bytes that come out, not in tokens: 猫 stays away whether it
would be one token, a part of 小猫, or three bytes. Forced texts are written where the model would
end while they are missing, or when the room left is just enough for them.

V vocab.

    python -m hanlin.generation.words
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hanlin.errors import UserError
from hanlin.generation.borders import CharacterBorders
from hanlin.generation.rule import Rule
from hanlin.generation.vocabulary import Vocabulary

__all__ = ["BannedTexts", "FewestTokens", "ForcedTexts", "LogitBias"]

_TO_A_BORDER = 3
"""Tokens that may pass until a character ends."""


class LogitBias(Rule):
    """Adds a number to the logits of chosen tokens."""

    def __init__(self, pairs: Sequence[tuple[int | str, float]], vocabulary: Vocabulary) -> None:
        """Take pairs of a token, as an id or a text, and what it gains."""
        self._tokens = torch.tensor([vocabulary.token(wanted) for wanted, _ in pairs])
        self._gains = torch.tensor([gain for _, gain in pairs])

    def steer(self, logits: Tensor) -> None:
        """Add what each token gains."""
        tokens, gains = self._tokens.to(logits.device), self._gains.to(logits)
        logits.index_add_(0, tokens, gains)


class FewestTokens(Rule):
    """Forbids the tokens that end a text until so many others were written."""

    def __init__(self, count: int, vocabulary: Vocabulary) -> None:
        """Take the count."""
        self._left = count
        self._ends = torch.tensor(sorted(vocabulary.ends))

    def steer(self, logits: Tensor) -> None:
        """Forbid the ends while tokens are missing."""
        if self._left > 0:
            logits[self._ends.to(logits.device)] = -torch.inf

    def take(self, token: int) -> None:
        """Count a token that was written."""
        del token
        self._left -= 1


class BannedTexts(Rule):
    """Forbids every token that would complete a banned text."""

    def __init__(self, texts: Sequence[str], vocabulary: Vocabulary) -> None:
        """Take the texts; only what is written counts, not the prompt.

        Raises:
            TokenizerError: the tokenizer's tokens do not make up the text byte by byte.
        """
        vocabulary.require_joined_bytes("Banning texts")
        self._vocabulary = vocabulary
        self._texts = tuple(text.encode() for text in texts if text)
        self._tail = b""

    def steer(self, logits: Tensor) -> None:
        """Forbid the tokens."""
        for text in self._texts:
            for known in range(len(text)):
                if self._tail.endswith(text[:known]):
                    tokens = self._vocabulary.completing(text, known)
                    logits[tokens.to(logits.device)] = -torch.inf

    def take(self, token: int) -> None:
        """Note a token that was written."""
        longest = max(len(text) for text in self._texts)
        self._tail = (self._tail + self._vocabulary.piece(token))[-longest:]


class ForcedTexts(Rule):
    """Writes the texts that are still missing where the continuation would end."""

    def __init__(self, texts: Sequence[str], vocabulary: Vocabulary, limit: int) -> None:
        """Take the texts, and how many tokens may be written.

        Raises:
            UserError: they do not fit into the limit.
        """
        vocabulary.require_joined_bytes("Forcing texts")
        self._vocabulary = vocabulary
        self._missing = {text.encode(): vocabulary.tokenizer.encode(text) for text in texts if text}
        self._room = limit
        self._due: list[int] = []
        self._written = b""
        self._borders = CharacterBorders()
        if self._needed > limit:
            raise UserError(
                f"The forced texts {list(texts)} take {self._needed} tokens, and there is room for "
                f"{limit}. Raise max_tokens, or force less."
            )

    @property
    def _needed(self) -> int:
        return sum(len(ids) for ids in self._missing.values())

    def amend(self, token: int) -> int:
        """Return the next token of a missing text where it is due, and `token` otherwise."""
        if not self._due and self._missing and self._is_time(token):
            self._due = list(next(iter(self._missing.values())))
        return self._due[0] if self._due else token

    def take(self, token: int) -> None:
        """Note a token that was written."""
        self._room -= 1
        if self._due and self._due[0] == token:
            del self._due[0]
        piece = self._vocabulary.piece(token)
        self._written += piece
        self._borders.push(piece)
        self._missing = {t: ids for t, ids in self._missing.items() if t not in self._written}

    def _is_time(self, token: int) -> bool:
        if token in self._vocabulary.ends or self._room <= self._needed:
            return True
        # A character that has begun may end first, as long as there is room for it.
        return self._room <= self._needed + _TO_A_BORDER and not self._borders.inside


if __name__ == "__main__":
    from hanlin.tokenizers import train_tokenizer

    letters = Vocabulary(train_tokenizer("char", ["从前有一只小猫。"], 350))
    rule = ForcedTexts(["小猫"], letters, limit=9)
    for _ in range(3):
        rule.take(token := rule.amend(letters.tokenizer.eot_id))
        print(letters.tokenizer.token_bytes(token).decode())
