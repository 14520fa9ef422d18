"""How well a tokenizer fits a language: characters and bytes a token, broken characters.

python -m hanlin.tokenizers.statistics
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hanlin.tokenizers.base import Tokenizer

__all__ = ["TokenStatistics", "measure_tokenizer"]


@dataclass(frozen=True, slots=True)
class TokenStatistics:
    """Counts over texts of one language."""

    texts: int = 0
    tokens: int = 0
    characters: int = 0
    bytes: int = 0
    broken: int = 0
    """Tokens that end inside a character."""
    restored: int = 0
    """Texts that decoding gives back unchanged."""

    @property
    def characters_per_token(self) -> float:
        """Characters a token; 0 without tokens."""
        return self.characters / self.tokens if self.tokens else 0.0

    @property
    def bytes_per_token(self) -> float:
        """UTF-8 bytes a token; 0 without tokens."""
        return self.bytes / self.tokens if self.tokens else 0.0

    @property
    def broken_share(self) -> float:
        """Share of tokens that end inside a character; 0 without tokens."""
        return self.broken / self.tokens if self.tokens else 0.0

    @property
    def restored_share(self) -> float:
        """Share of texts that decoding gives back unchanged: 1 for a lossless tokenizer."""
        return self.restored / self.texts if self.texts else 0.0


def measure_tokenizer(
    tokenizer: Tokenizer, texts: Iterable[tuple[str, str]]
) -> dict[str, TokenStatistics]:
    """Return the statistics of (language, text) pairs, by language in order of first sight."""
    totals: dict[str, list[int]] = {}
    for language, text in texts:
        ids = tokenizer.encode(text)
        counts = (
            1,
            len(ids),
            len(text),
            len(text.encode("utf-8", "replace")),
            _num_broken(tokenizer, ids),
            int(tokenizer.decode(ids) == text),
        )
        previous = totals.get(language, [0] * len(counts))
        totals[language] = [old + new for old, new in zip(previous, counts, strict=True)]
    return {language: TokenStatistics(*counts) for language, counts in totals.items()}


def _num_broken(tokenizer: Tokenizer, ids: list[int]) -> int:
    # A token ends inside a character where the next one starts with a continuation byte, 10xxxxxx.
    starts = (tokenizer.token_bytes(id)[:1] for id in ids)
    return sum(b"\x80" <= start < b"\xc0" for start in starts)


if __name__ == "__main__":
    from hanlin.tokenizers.char import train_char

    char = train_char(["从前有一只小猫。"], 350)
    print(measure_tokenizer(char, [("zh", "从前有猫。"), ("en", "a cat")]))
