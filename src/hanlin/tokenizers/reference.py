"""Byte pair encoding in plain Python: what the fast paths must agree with.

Training (Sennrich, Haddow and Birch 2016, arXiv:1508.07909): count all adjacent pairs, join the
most frequent one everywhere, repeat. Encoding: cut the text into pieces, and in each piece join the
pair that was learnt first, until no pair is left that was learnt. It is slow and meant to be read;
`hanlin.tokenizers.learning` and tiktoken give the same merges and ids.

    python -m hanlin.tokenizers.reference
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from hanlin.tokenizers.control import NUM_CONTROL
from hanlin.tokenizers.learning import MAX_HAN, MIN_COUNT, Pair
from hanlin.tokenizers.pieces import split_pattern

__all__ = ["decode", "encode", "join_pair", "train"]


def train(texts: Iterable[str], num_merges: int) -> list[Pair]:
    """Return up to `num_merges` merges, in the order in which they were learnt.

    Symbols 0 to 255 are bytes; the merge at place `n` makes the symbol 256 + n. Of equally frequent
    pairs the one with the smaller left symbol is taken, then the one with the smaller right symbol.

    >>> train(["low lower lowest"], 2)  # l + o, then lo + w
    [(108, 111), (256, 119)]
    """
    pieces = Counter(piece for text in texts for piece in split_pattern(MAX_HAN).findall(text))
    words = {piece: list(piece.encode("utf-8")) for piece in pieces}
    merges: list[Pair] = []
    while len(merges) < num_merges:
        counts: Counter[Pair] = Counter()
        for piece, symbols in words.items():
            for pair in pairwise(symbols):
                counts[pair] += pieces[piece]
        best = min(counts, key=lambda pair: (-counts[pair], pair), default=None)
        if best is None or counts[best] < MIN_COUNT:
            break
        words = {p: join_pair(symbols, best, 256 + len(merges)) for p, symbols in words.items()}
        merges.append(best)
    return merges


def encode(text: str, merges: Sequence[Pair]) -> list[int]:
    """Return the token ids of a text: a symbol's id is the symbol plus the control tokens.

    >>> encode("low", [(108, 111), (256, 119)])
    [343]
    """
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    ids: list[int] = []
    for piece in split_pattern().findall(text):
        symbols = list(piece.encode("utf-8"))
        while True:
            pairs = set(pairwise(symbols)) & ranks.keys()
            if not pairs:
                break
            first = min(pairs, key=ranks.__getitem__)
            symbols = join_pair(symbols, first, 256 + ranks[first])
        ids += [NUM_CONTROL + symbol for symbol in symbols]
    return ids


def decode(ids: Iterable[int], merges: Sequence[Pair]) -> str:
    """Return the text of ordinary token ids.

    >>> decode([343, 86 + 33], [(108, 111), (256, 119)])
    'low!'
    """
    tokens = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        tokens.append(tokens[left] + tokens[right])
    return b"".join(tokens[id - NUM_CONTROL] for id in ids).decode("utf-8", "replace")


def join_pair(symbols: Sequence[int], pair: Pair, symbol: int) -> list[int]:
    """Replace each occurrence of a pair, from the left, by one symbol.

    >>> join_pair([1, 1, 1, 2], (1, 1), 9)
    [9, 1, 2]
    """
    joined: list[int] = []
    place = 0
    while place < len(symbols):
        if tuple(symbols[place : place + 2]) == pair:
            joined.append(symbol)
            place += 2
        else:
            joined.append(symbols[place])
            place += 1
    return joined


if __name__ == "__main__":
    learnt = train(["吃葡萄不吐葡萄皮，不吃葡萄倒吐葡萄皮。"], 12)
    print(learnt, encode("吃葡萄", learnt), decode(encode("吃葡萄", learnt), learnt))
