"""Tokens that no penalty on repetition touches, told from the tokenizer and from frequencies.

A text cannot do without repeating its commas, its 的 and its "the"; a penalty on these teaches bad
grammar. So are exempt: control tokens and rows beyond the vocabulary, pieces that are no whole
characters (the bytes of a rare one), tokens without a letter or digit, and the commonest tokens,
as many with Han characters as without, so that a corpus of mostly one language exempts both.

    python -m hanlin.objectives.exemptions
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from hanlin.data import TokenStream
    from hanlin.tokenizers import Tokenizer

__all__ = ["count_tokens", "exempt_tokens"]

_PIECE = 2**20
_HAN = range(0x3400, 0xA000)


def count_tokens(
    streams: Iterable[TokenStream], vocab_size: int, *, limit: int = 20_000_000
) -> NDArray[np.int64]:
    """Return how often each token occurs in the first `limit` tokens of the streams, (V,)."""
    counts = np.zeros(vocab_size, np.int64)
    for stream in streams:
        for start in range(0, min(stream.num_tokens, limit), _PIECE):
            ids = stream.read(start, min(_PIECE, limit - start))
            counts += np.bincount(ids, minlength=vocab_size)
        limit -= min(stream.num_tokens, limit)
    return counts


def exempt_tokens(
    tokenizer: Tokenizer, counts: NDArray[np.int64], *, commonest: int, rows: int
) -> Tensor:
    """Return which of a model's `rows` tokens are exempt, (rows,) bool."""
    exempt = np.ones(rows, np.bool_)
    texts = {id: text for id in range(tokenizer.vocab_size) if (text := _word(tokenizer, id))}
    exempt[list(texts)] = False
    by_script: dict[bool, list[int]] = {True: [], False: []}
    for id, text in texts.items():
        by_script[any(ord(character) in _HAN for character in text)].append(id)
    for ids in by_script.values():
        ranked = sorted(ids, key=lambda id: (-counts[id], id))
        exempt[[id for id in ranked[:commonest] if counts[id]]] = True
    return torch.from_numpy(exempt)


def _word(tokenizer: Tokenizer, id: int) -> str:
    """Return a token's text, or nothing where it has no whole letter or digit, or is control."""
    if id in tokenizer.control.values():
        return ""
    try:
        text = tokenizer.token_bytes(id).decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return text if any(map(str.isalnum, text)) else ""


if __name__ == "__main__":
    from hanlin.tokenizers import train_tokenizer

    small = train_tokenizer("char", ["小猫，小狗。A cat, a dog."], 357)
    ids = np.array(small.encode("小猫小狗，a cat a dog"))
    free = ~exempt_tokens(small, np.bincount(ids, minlength=357), commonest=1, rows=357)
    print(small.decode(free.nonzero().flatten().tolist()))
