"""How large a vocabulary a text supports: a merge needs a pair that occurs twice.

python -m hanlin.planning.vocabulary
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hanlin.config import TokenizerConfig
from hanlin.errors import TokenizerError
from hanlin.tokenizers import Tokenizer, load_tokenizer, train_tokenizer

__all__ = ["largest_vocabulary", "train_supported"]

_LEAST = 400


def train_supported(texts: Sequence[str], config: TokenizerConfig) -> Tokenizer:
    """Train the tokenizer that a recipe wants, or the largest half of it that the texts support.

    A sample supports fewer entries than the whole corpus, so a plan goes on with fewer.

    Raises:
        TokenizerError: the texts do not even support the smallest vocabulary.
    """
    if config.path:
        return load_tokenizer(Path(config.path))
    wanted = config.vocab_size
    while True:
        try:
            return train_tokenizer(config.kind, texts, wanted)
        except TokenizerError:
            if wanted <= _LEAST:
                raise
            wanted = max(_LEAST, wanted // 2)


def largest_vocabulary(texts: Sequence[str], wanted: int, text_bytes: float) -> int:
    """Return `wanted`, or what a corpus of `text_bytes` supports, judging by a sample of it.

    Distinct pairs grow about as the root of the text (Heaps 1978).
    """
    supported = train_supported(texts, TokenizerConfig(vocab_size=wanted)).vocab_size
    if supported >= wanted:
        return wanted
    sampled = sum(len(text.encode("utf-8")) for text in texts)
    return int(min(wanted, supported * max(1.0, text_bytes / max(1, sampled)) ** 0.5))


if __name__ == "__main__":
    print(largest_vocabulary(["low lower lowest 低 更低 最低"] * 9, 2048, 10_000))
