"""Count every n-gram of a token stream, one length after another, with sorted integers only.

An n-gram is a pair: the rank of its first n-1 tokens among the sorted (n-1)-grams, and its last
token. The pair packs into one integer, `rank * vocab_size + token`, exactly and without hashing,
so a level is one sort of one array, the children of a context lie side by side, and the levels
together form a trie without a pointer. <|endoftext|> begins each document and ends it; no n-gram
reaches across it.

    python -m hanlin.models.ngram.counts

Shapes: T tokens of the stream, N distinct n-grams of a level, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanlin.errors import DataError, RecipeError, TokenizerError

__all__ = ["MAX_ORDER", "Level", "check_ids", "count_levels", "find_keys", "join_documents"]

MAX_ORDER = 7

Ints = NDArray[np.int64]
Ranks = NDArray[np.int32]
Tokens = NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Level:
    """All distinct n-grams of one length, sorted by key."""

    length: int
    """Tokens in each n-gram."""
    keys: Ints
    """(N,) rank of the context among the shorter n-grams, times V, plus the last token."""
    counts: Ints
    """(N,) occurrences."""
    suffixes: Ranks
    """(N,) rank, one level down, of the n-gram without its first token."""
    starts_document: NDArray[np.bool_]
    """(N,) whether the first token is the <|endoftext|> that opens a document."""

    def contexts(self, vocab_size: int) -> Ints:
        """Return the rank of each n-gram's context: all zero at length 1, whose context is empty.

        Shape (N,).
        """
        return self.keys // vocab_size


def join_documents(
    documents: Iterable[Tokens], *, vocab_size: int, eot_id: int
) -> NDArray[np.int32]:
    """Return one stream (T,): <|endoftext|> before, between and after the documents.

    A document may hold <|endoftext|> itself, as a whole shard does; repeated ones count once.
    """
    pieces = [np.array([eot_id], dtype=np.int32)]
    for document in documents:
        check_ids(document, vocab_size)
        pieces.extend([np.asarray(document).astype(np.int32), pieces[0]])
    stream: NDArray[np.int32] = np.concatenate(pieces)
    is_eot = stream == eot_id
    is_repeat = is_eot[1:] & is_eot[:-1]
    stream = stream[np.append(True, ~is_repeat)]
    if stream.size < 2:
        raise DataError("The documents hold no token to count. Check the corpus and its split.")
    return stream


def check_ids(ids: Tokens, vocab_size: int) -> None:
    """Refuse token ids outside the vocabulary with a `TokenizerError`."""
    ids = np.asarray(ids)
    if ids.size == 0:
        return
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= vocab_size:
        raise TokenizerError(
            f"Token id {low if low < 0 else high} lies outside the n-gram model's vocabulary of "
            f"{vocab_size}. Encode the text with the tokenizer that the model was fitted with."
        )


def count_levels(
    stream: NDArray[np.int32], order: int, *, vocab_size: int, eot_id: int
) -> Iterator[Level]:
    """Yield the levels of n-grams of length 1, 2, ..., `order`.

    Memory: about 40 bytes a token of the stream beside the level that is yielded.
    """
    if not 1 <= order <= MAX_ORDER:
        raise RecipeError(f"The n-gram order {order} lies outside 1..{MAX_ORDER}.")
    yield _unigrams(stream, vocab_size)
    history = _history_lengths(stream, eot_id, order)
    ranks = stream.copy()  # of the n-gram that ends at each position; at length 1, its token
    starts = np.arange(vocab_size) == eot_id
    for length in range(2, order + 1):
        ends = np.flatnonzero(history >= length - 1)
        keys = ranks[ends - 1].astype(np.int64) * vocab_size + stream[ends]
        by_key = np.argsort(keys)
        keys, ends = keys[by_key], ends[by_key]
        del by_key
        is_first = np.diff(keys, prepend=-1) != 0  # (T,), true once for each distinct n-gram
        firsts = np.flatnonzero(is_first)
        keys = keys[firsts]
        suffixes = ranks[ends[firsts]]
        starts = starts[keys // vocab_size]
        counts = np.diff(firsts, append=ends.size)
        ranks[ends] = np.cumsum(is_first, dtype=np.int32) - 1
        del ends, is_first, firsts
        yield Level(length, keys, counts, suffixes, starts)


def find_keys(keys: Ints, wanted: Ints) -> Ints:
    """Return the rank of each wanted key in the sorted `keys`, or -1 where it is absent.

    Sorted queries walk through `keys` in order, which is some ten times faster than random ones
    once `keys` outgrows the processor's caches.
    """
    if keys.size == 0 or wanted.size == 0:
        return np.full(wanted.shape, -1, dtype=np.int64)
    by_key = np.argsort(wanted)
    ranks = np.empty(wanted.size, dtype=np.int64)
    ranks[by_key] = np.searchsorted(keys, wanted[by_key])
    ranks[ranks == keys.size] = 0
    return np.where(keys[ranks] == wanted, ranks, -1)


def _unigrams(stream: NDArray[np.int32], vocab_size: int) -> Level:
    counts = np.bincount(stream[1:], minlength=vocab_size)  # the first <|endoftext|> is given
    return Level(
        length=1,
        keys=np.arange(vocab_size),
        counts=counts,
        suffixes=np.zeros(vocab_size, dtype=np.int32),
        starts_document=np.zeros(vocab_size, dtype=np.bool_),
    )


def _history_lengths(stream: NDArray[np.int32], eot_id: int, order: int) -> NDArray[np.uint8]:
    """Return how many tokens each token may look back on, its <|endoftext|> included, (T,)."""
    positions = np.arange(stream.size, dtype=np.int32)
    opened = np.maximum.accumulate(np.where(stream == eot_id, positions, 0))
    lengths = np.zeros(stream.size, dtype=np.uint8)
    lengths[1:] = np.minimum(positions[1:] - opened[:-1], order)
    return lengths


if __name__ == "__main__":
    example = join_documents([np.array([1, 2, 1, 2, 3])], vocab_size=4, eot_id=0)
    for level in count_levels(example, 3, vocab_size=4, eot_id=0):
        print(level.length, level.keys.tolist(), level.counts.tolist())
