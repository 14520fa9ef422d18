"""Character level: every character one token, rare ones as their UTF-8 bytes.

Ids: 86 control tokens, the 256 bytes, then characters by frequency. A character outside the
vocabulary is written as bytes, so the tokenizer is lossless for every text. `tokenizer.json` says
the same as a BPE model without merges and with byte fallback, the form that Llama 2 brought up.

    python -m hanlin.tokenizers.char
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hanlin.errors import TokenizerError
from hanlin.tokenizers.base import Tokenizer, well_formed
from hanlin.tokenizers.control import CONTROL_TOKENS, NUM_CONTROL
from hanlin.tokenizers.layout import bpe_model, tokenizer_json

__all__ = ["CharTokenizer", "train_char"]

_NUM_BYTES = 256
_FIRST_CHARACTER = NUM_CONTROL + _NUM_BYTES
_NUM_CODE_POINTS = 0x110000


class CharTokenizer(Tokenizer):
    """One token a character; bytes for characters that the vocabulary lacks."""

    kind = "char"

    def __init__(self, characters: Sequence[str]) -> None:
        """Build it from distinct characters, the most frequent first."""
        self.characters = tuple(characters)
        self._tokens = [
            *(token.encode("ascii") for token in CONTROL_TOKENS),
            *(bytes([byte]) for byte in range(_NUM_BYTES)),
            *(character.encode("utf-8") for character in self.characters),
        ]
        self.vocab_size = len(self._tokens)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> CharTokenizer:
        """Rebuild it from the content of the `tokenizer.json` that `to_json` gave."""
        vocab: dict[str, int] = content["model"]["vocab"]
        return cls(sorted(vocab, key=vocab.__getitem__)[_FIRST_CHARACTER:])

    def to_json(self) -> dict[str, Any]:
        """Return the content of `tokenizer.json`."""
        ordinary = [*(f"<0x{byte:02X}>" for byte in range(_NUM_BYTES)), *self.characters]
        return tokenizer_json(
            bpe_model(ordinary, [], byte_fallback=True),
            decoder={"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]},
        )

    def token_bytes(self, id: int) -> bytes:
        """Return what a token stands for; a control token stands for its own name."""
        self._check_id(id)
        return self._tokens[id]

    def _encode_ordinary(self, text: str) -> list[int]:
        code_points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
        ids: list[int] = self._id_of_code_point[code_points].tolist()
        if all(ids):
            return ids
        return [
            token
            for character, id in zip(text, ids, strict=True)
            for token in ([id] if id else [NUM_CONTROL + b for b in character.encode("utf-8")])
        ]

    @cached_property
    def _id_of_code_point(self) -> NDArray[np.int32]:
        """Token id by code point; 0, which is a control token, where there is none."""
        table = np.zeros(_NUM_CODE_POINTS, dtype=np.int32)
        for id, character in enumerate(self.characters, start=_FIRST_CHARACTER):
            table[ord(character)] = id
        return table


def train_char(texts: Iterable[str], vocab_size: int) -> CharTokenizer:
    """Take the most frequent characters of the texts; ties go to the lower code point.

    Raises:
        TokenizerError: the vocabulary is too small to hold the bytes, or larger than the texts
            support.
    """
    if vocab_size < _FIRST_CHARACTER:
        raise TokenizerError(
            f"vocab_size {vocab_size} is too small for characters: {NUM_CONTROL} control tokens "
            f"and {_NUM_BYTES} bytes need {_FIRST_CHARACTER}. Set vocab_size to more than that."
        )
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(well_formed(text))
    reached = _FIRST_CHARACTER + len(counts)
    if reached < vocab_size:
        raise TokenizerError(
            f"vocab_size {vocab_size:,} is larger than the text supports: it has {len(counts):,} "
            f"distinct characters, which make {reached:,} entries with control tokens and bytes. "
            f"Set vocab_size to {reached} or less, or give more text."
        )
    ranked = sorted(counts, key=lambda character: (-counts[character], character))
    return CharTokenizer(ranked[: vocab_size - _FIRST_CHARACTER])


if __name__ == "__main__":
    char = train_char(["从前有一只小猫。"], _FIRST_CHARACTER + 6)
    print(char.encode("小猫🐱"), char.decode(char.encode("小猫🐱")))
