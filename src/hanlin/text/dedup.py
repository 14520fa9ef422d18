"""Exact and near-duplicates: a hash of the normalised text, and MinHash with banded LSH.

A text's signature keeps, for each of 120 random orders of its 5-grams of units, the first one; the
share of equal entries of two signatures estimates the Jaccard similarity of their 5-grams, with a
standard deviation below 0.046 (Broder 1997). Only texts that agree in one whole band of entries are
compared (Indyk and Motwani 1998). Memory holds 16 bytes a document beside the signatures (480 bytes
each), which may lie in a memory map.

    python -m hanlin.text.dedup
"""

from __future__ import annotations

import functools
import hashlib

import numpy as np
import numpy.typing as npt

from hanlin.text.units import hash_ngrams

__all__ = ["SIGNATURE", "find_duplicates", "find_near_duplicates", "minhash", "text_hash"]

SIGNATURE = 120
"""Entries of a signature."""

_NGRAM = 5
_RECALL = 0.99
_BLOCK = 1024  # n-grams at a time, so that the products stay in the processor's cache
_NEIGHBOURS = 4


def text_hash(text: str) -> int:
    """Return a 64-bit hash of a text in which case and spaces do not count.

    >>> text_hash("Hello  World") == text_hash("hello world\\n")
    True
    """
    normal = "".join(text.casefold().split())
    return int.from_bytes(hashlib.blake2b(normal.encode("utf-8"), digest_size=8).digest(), "big")


def minhash(units: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint32]:
    """Return the signature of a text's units, shape (SIGNATURE,)."""
    grams = hash_ngrams(units, _NGRAM)
    multipliers = _multipliers()
    least = np.full(SIGNATURE, np.iinfo(np.uint64).max, np.uint64)
    for start in range(0, len(grams), _BLOCK):
        products = multipliers[:, None] * grams[start : start + _BLOCK]  # (SIGNATURE, n-grams)
        np.minimum(least, products.min(axis=1), out=least)
    return (least >> np.uint64(32)).astype(np.uint32)


def find_duplicates(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return for each document the first one with the same hash, shape (documents,)."""
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int64)


def find_near_duplicates(
    signatures: npt.NDArray[np.uint32], similarity: float
) -> npt.NDArray[np.int64]:
    """Return for each document an earlier, kept one that it nearly equals, else itself.

    Args:
        signatures: shape (documents, SIGNATURE), in the order in which documents are preferred.
        similarity: the estimated Jaccard similarity from which two texts are near-duplicates.

    Returns:
        shape (documents,).
    """
    original = np.arange(len(signatures), dtype=np.int64)
    pairs = _candidates(signatures, rows_per_band(similarity))
    for start in range(0, len(pairs), 65_536):
        block = pairs[start : start + 65_536]
        equal = (signatures[block[:, 0]] == signatures[block[:, 1]]).mean(axis=1)
        for late, early in block[equal >= similarity].tolist():
            # Pairs come in the order of the later document, so the earlier one is decided.
            if original[late] == late and original[early] == early:
                original[late] = early
    return original


def rows_per_band(similarity: float) -> int:
    """Return the longest band that still finds 99 % of pairs of that similarity.

    A pair of similarity s agrees in one of b bands of r entries with probability 1 - (1 - s^r)^b.

    >>> rows_per_band(0.8), rows_per_band(0.5)
    (6, 3)
    """
    fitting = [
        rows
        for rows in range(1, SIGNATURE + 1)
        if SIGNATURE % rows == 0 and 1 - (1 - similarity**rows) ** (SIGNATURE // rows) >= _RECALL
    ]
    return max(fitting, default=1)


def _candidates(signatures: npt.NDArray[np.uint32], rows: int) -> npt.NDArray[np.int64]:
    """Return pairs (later, earlier) that share a band, shape (pairs, 2), sorted and distinct.

    Sorting a band's hashes brings equal ones together. Each document is paired with the nearest of
    its group and with its first, so that a large group of equals costs no square of its size.
    """
    found = [np.empty((0, 2), np.int64)]
    weights = _multipliers()[:rows]
    for start in range(0, SIGNATURE, rows):
        band = (signatures[:, start : start + rows].astype(np.uint64) * weights).sum(axis=1)
        order = np.argsort(band, kind="stable")
        ranked = band[order]
        fresh = np.r_[True, ranked[1:] != ranked[:-1]] if len(ranked) else np.empty(0, bool)
        first = np.maximum.accumulate(np.where(fresh, np.arange(len(ranked)), 0))
        later = np.flatnonzero(~fresh)
        for step in range(1, _NEIGHBOURS + 1):
            earlier = np.maximum(later - step, first[later])
            found.append(np.stack([order[later], order[earlier]], axis=1))
        found.append(np.stack([order[later], order[first[later]]], axis=1))
    return np.unique(np.concatenate(found), axis=0)


@functools.cache
def _multipliers() -> npt.NDArray[np.uint64]:
    """Return one odd multiplier an entry; they are part of the definition of a signature."""
    draws = np.random.default_rng(20_080_101).integers(0, 2**64, SIGNATURE, dtype=np.uint64)
    return draws | np.uint64(1)


if __name__ == "__main__":
    from hanlin.text.units import hash_units

    texts = ["白日依山尽，黄河入海流。欲穷千里目，更上一层楼。" * 2, "The cat sat on the mat."]
    texts.append(texts[0] + "完")
    print(find_near_duplicates(np.stack([minhash(hash_units(text)) for text in texts]), 0.8))
