"""A sentence's probability token by token, a GPT beside an n-gram model.

python -m hanlin.evaluation.score
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hanlin.evaluation.scorers import Scorer

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer

__all__ = ["SentenceScore", "TokenScore", "score_sentence"]


@dataclass(frozen=True, slots=True)
class TokenScore:
    """One token and what each model gave it."""

    token: bytes
    """The bytes that it writes; a token may hold a part of a character."""
    gpt: float
    """ln p by the GPT, given all tokens before."""
    ngram: float | None
    """ln p by the n-gram model, None without one."""


@dataclass(frozen=True, slots=True)
class SentenceScore:
    """The tokens of a sentence with their scores."""

    text: str
    tokens: tuple[TokenScore, ...]

    @property
    def gpt_bits(self) -> float:
        """Bits that the GPT needs for the sentence."""
        return -math.fsum(token.gpt for token in self.tokens) / math.log(2)

    @property
    def ngram_bits(self) -> float | None:
        """Bits that the n-gram model needs, None without one."""
        scores = [token.ngram for token in self.tokens if token.ngram is not None]
        if len(scores) < len(self.tokens):
            return None
        return -math.fsum(scores) / math.log(2)

    def as_dict(self) -> dict[str, Any]:
        """Return text, bits, UTF-8 bytes and the tokens; broken characters are shown as �."""
        return {
            "text": self.text,
            "bytes": len(self.text.encode("utf-8")),
            "gpt_bits": self.gpt_bits,
            "ngram_bits": self.ngram_bits,
            "tokens": [
                asdict(token) | {"token": token.token.decode("utf-8", "replace")}
                for token in self.tokens
            ],
        }


def score_sentence(
    text: str, tokenizer: Tokenizer, gpt: Scorer, ngram: Scorer | None = None
) -> SentenceScore:
    """Score a text that begins a document with one model or two over the same tokens."""
    ids = np.array(tokenizer.encode(text), dtype=np.int64)
    ours = gpt.score([ids])[0].tolist()
    theirs = ngram.score([ids])[0].tolist() if ngram is not None else [None] * len(ours)
    return SentenceScore(
        text,
        tuple(
            TokenScore(tokenizer.token_bytes(int(token)), own, other)
            for token, own, other in zip(ids, ours, theirs, strict=True)
        ),
    )


if __name__ == "__main__":
    example = SentenceScore("猫", (TokenScore("猫".encode(), -2.0, -3.5),))
    print(example.as_dict())
