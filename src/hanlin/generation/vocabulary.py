"""What the rules of drawing need to know about a tokenizer, worked out once an engine.

python -m hanlin.generation.vocabulary
"""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hanlin.errors import TokenizerError, UserError
from hanlin.generation.grammar import grammar_tokenizer
from hanlin.generation.prompts import end_tokens

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer

__all__ = ["Vocabulary"]

_CLOSING = (b'"', b"}", b"]", b",", b":", *(str(digit).encode() for digit in range(10)))
"""What ends a text that a grammar binds, the quickest first."""


class Vocabulary:
    """The bytes of all tokens, the ends, and which tokens would complete a text."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Look at a tokenizer; what takes time is worked out when it is asked for."""
        self.tokenizer = tokenizer
        self.size = tokenizer.vocab_size
        self.control = frozenset(tokenizer.control.values())
        self.ends = end_tokens(tokenizer)
        self._completing: dict[tuple[bytes, int], Tensor] = {}

    def ending_at(self, *names: str) -> Vocabulary:
        """Return the same vocabulary, in which further control tokens end a text."""
        other = copy(self)
        known = self.tokenizer.control
        other.ends = self.ends | {known[name] for name in names if name in known}
        return other

    @cached_property
    def pieces(self) -> tuple[bytes, ...]:
        """What each token adds to a text; a control token adds nothing."""
        return tuple(self.piece(token) for token in range(self.size))

    @cached_property
    def grammar_tokenizer(self) -> Any:
        """The tokenizer in the form of the library that constrains texts."""
        return grammar_tokenizer(self.tokenizer)

    @cached_property
    def closing_value(self) -> NDArray[np.float64]:
        """How much each token helps to end a text early: what closes first, white space last."""
        closing = {piece: 1000.0 - place for place, piece in enumerate(_CLOSING)}
        return np.array(
            [closing.get(piece, len(piece) if piece.strip() else -1.0) for piece in self.pieces]
        )

    def piece(self, token: int) -> bytes:
        """Return what a token adds to a text."""
        return b"" if token in self.control else self.tokenizer.token_bytes(token)

    def token(self, wanted: int | str) -> int:
        """Return the one token that an id or a text means.

        Raises:
            UserError: there is no such token, or the text has several.
        """
        ids = [wanted] if isinstance(wanted, int) else self.tokenizer.encode(wanted)
        if len(ids) != 1 or not 0 <= ids[0] < self.size:
            raise UserError(
                f"logit_bias names {wanted!r}, which is not one token of the tokenizer's "
                f"{self.size:,}"
                + (f" but {len(ids)}: {ids}. Give ids, or `banned`." if len(ids) > 1 else ".")
            )
        return int(ids[0])

    def completing(self, text: bytes, known: int) -> Tensor:
        """Return the tokens (N,) that complete a text of which `known` bytes stand already."""
        key = (text, known)
        if key not in self._completing:
            rest = text[known:]
            found = [
                token
                for token, piece in enumerate(self.pieces)
                if (piece.startswith(rest) if known else rest in piece)
            ]
            self._completing[key] = torch.tensor(found, dtype=torch.long)
        return self._completing[key]

    def require_joined_bytes(self, purpose: str) -> None:
        """Check that a text is its tokens' bytes, one after the other.

        Raises:
            TokenizerError: the tokenizer is one of words, which puts spaces between its tokens.
        """
        if self.tokenizer.kind == "word":
            raise TokenizerError(
                f"{purpose} needs tokens whose bytes make up the text, and a word tokenizer puts "
                "spaces between them. Train a model with tokenizer.kind `bpe` or `char`."
            )


if __name__ == "__main__":
    from hanlin.tokenizers import train_tokenizer

    words = Vocabulary(train_tokenizer("char", ["从前有一只小猫。"], 350))
    print(words.token("猫"), words.completing("小猫".encode(), 3).tolist())
