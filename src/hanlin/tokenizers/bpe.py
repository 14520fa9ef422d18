"""Byte-level BPE with Han isolated: the default tokenizer.

Ids: 86 control tokens, then the 256 bytes in order, then one token a merge, in the order of the
merges. A token's id is therefore also its rank, and merging by rank (tiktoken) finds the same ids
as merging by list (tokenizers, transformers, llama.cpp). Encoding goes through tiktoken, which is
several times faster; `tokenizer.json` is for everybody else.

    python -m hanlin.tokenizers.bpe
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hanlin.errors import TokenizerError
from hanlin.tokenizers.base import Tokenizer
from hanlin.tokenizers.bytelevel import CHAR_TO_BYTE, to_chars
from hanlin.tokenizers.control import CONTROL_IDS, CONTROL_TOKENS, NUM_CONTROL
from hanlin.tokenizers.layout import bpe_model, tokenizer_json
from hanlin.tokenizers.learning import Pair, learn_merges
from hanlin.tokenizers.pieces import HAN, PATTERN

if TYPE_CHECKING:
    import tiktoken
    import tokenizers

__all__ = ["BpeTokenizer", "train_bpe"]

_NUM_BYTES = 256
_SMALLEST = NUM_CONTROL + _NUM_BYTES

_LONG = 100_000
# Where a long text may be cut without changing a piece: between a mark and a Han character, or
# between a word and the single space before the next.
_SAFE_CUT = re.compile(rf"(?<=[^\s{HAN}])(?=[{HAN}])|(?<=\S)(?= [A-Za-z])")


class BpeTokenizer(Tokenizer):
    """Byte-level BPE over the pre-tokenizer `kimi-k2`; lossless for every text."""

    kind = "bpe"

    def __init__(self, merges: Sequence[Pair]) -> None:
        """Build it from merges of symbols: 0 to 255 are bytes, 256 + n is the n-th merge."""
        self.merges = tuple(merges)
        tokens = [bytes([byte]) for byte in range(_NUM_BYTES)]
        for left, right in self.merges:
            tokens.append(tokens[left] + tokens[right])
        self._tokens = [token.encode("ascii") for token in CONTROL_TOKENS] + tokens
        self.vocab_size = len(self._tokens)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> BpeTokenizer:
        """Rebuild it from the content of the `tokenizer.json` that `to_json` gave."""
        symbols = dict(CHAR_TO_BYTE)  # in the alphabet of the file, which joins as bytes do
        merges: list[Pair] = []
        for left, right in content["model"]["merges"]:
            merges.append((symbols[left], symbols[right]))
            symbols[left + right] = _NUM_BYTES + len(merges) - 1
        return cls(merges)

    def to_json(self) -> dict[str, Any]:
        """Return the content of `tokenizer.json`."""
        written = [to_chars(token) for token in self._tokens[NUM_CONTROL:]]
        byte_level = {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": False,
        }
        split = {
            "type": "Split",
            "pattern": {"Regex": PATTERN},
            "behavior": "Isolated",
            "invert": False,
        }
        merges = [(written[left], written[right]) for left, right in self.merges]
        return tokenizer_json(
            bpe_model(written, merges, byte_fallback=False),
            pre_tokenizer={"type": "Sequence", "pretokenizers": [split, byte_level]},
            decoder=byte_level,
        )

    def token_bytes(self, id: int) -> bytes:
        """Return what a token stands for; a control token stands for its own name."""
        self._check_id(id)
        return self._tokens[id]

    def _encode_ordinary(self, text: str) -> list[int]:
        if len(text) <= _LONG:
            return self._fast.encode_ordinary(text)
        ids: list[int] = []
        for part in _parts(text):
            ids += self._encode_part(part)
        return ids

    def _encode_part(self, text: str) -> list[int]:
        if len(text) <= _LONG:
            return self._fast.encode_ordinary(text)
        # A run of a million spaces overflows the stack of tiktoken's regex engine.
        ids: list[int] = self._thorough.encode(text, add_special_tokens=False).ids
        return ids

    @cached_property
    def _fast(self) -> tiktoken.Encoding:
        import tiktoken

        ranks = {token: NUM_CONTROL + i for i, token in enumerate(self._tokens[NUM_CONTROL:])}
        return tiktoken.Encoding(
            "hanlin", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens=CONTROL_IDS
        )

    @cached_property
    def _thorough(self) -> tokenizers.Tokenizer:
        import json

        import tokenizers

        tokenizer = tokenizers.Tokenizer.from_str(json.dumps(self.to_json()))
        tokenizer.encode_special_tokens = True  # The text's own `<|im_end|>` is ordinary text.
        return tokenizer


def train_bpe(texts: Iterable[str], vocab_size: int) -> BpeTokenizer:
    """Train a vocabulary on texts.

    Raises:
        TokenizerError: the vocabulary is too small to hold the bytes, or larger than the texts
            support.
    """
    if vocab_size < _SMALLEST:
        raise TokenizerError(
            f"vocab_size {vocab_size} is too small for byte-level BPE: {NUM_CONTROL} control "
            f"tokens and {_NUM_BYTES} bytes need {_SMALLEST}. Set vocab_size to more than that."
        )
    merges = learn_merges(texts, vocab_size - _SMALLEST)
    reached = _SMALLEST + len(merges)
    if reached < vocab_size:
        raise TokenizerError(
            f"vocab_size {vocab_size:,} is larger than the text supports: no pair occurs twice "
            f"after {reached:,} entries. Set vocab_size to {reached} or less, or give more text."
        )
    return BpeTokenizer(merges)


def _parts(text: str) -> Iterator[str]:
    """Cut a long text at safe places into parts of at most `_LONG` characters, where there are."""
    start = 0
    while len(text) - start > _LONG:
        cut = _SAFE_CUT.search(text, start + _LONG // 2)
        if cut is None:
            break
        yield text[start : cut.start()]
        start = cut.start()
    yield text[start:]


if __name__ == "__main__":
    poem = "床前明月光，疑是地上霜。举头望明月，低头思故乡。" * 2
    bpe = train_bpe([poem], _SMALLEST + 30)
    print([bpe.token_bytes(id).decode() for id in bpe.encode("明月光")])
