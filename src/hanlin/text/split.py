"""Training, validation and test by a hash of each document's text.

The hash alone decides, so a text lies on the same side whatever its file, its place or its
neighbours, and no seed is needed. Where a corpus is so small that a held-out split would be empty,
the document with the least hash is taken into it; adding documents moves at most that one.

    python -m hanlin.text.split
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["SPLITS", "Split", "assign_splits"]

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
"""The splits in the order of their numbers."""

_TRAIN, _VALIDATION, _TEST = range(3)
_SMALLEST = 3  # documents, below which there is nothing to part


def assign_splits(
    hashes: npt.NDArray[np.uint64], validation_share: float, test_share: float
) -> npt.NDArray[np.uint8]:
    """Return each document's split as an index into SPLITS, shape (documents,).

    With three documents or more, none of the three splits is empty.

    >>> assign_splits(np.array([2**62, 2**63, 2**64 - 1], np.uint64), 0.02, 0.02).tolist()
    [2, 1, 0]
    """
    places = hashes / 2.0**64  # in [0, 1)
    test = int((places < test_share).sum())
    held_out = int((places < test_share + validation_share).sum())
    if len(hashes) >= _SMALLEST:
        test = min(max(test, 1), len(hashes) - 2)
        held_out = min(max(held_out, test + 1), len(hashes) - 1)
    order = np.argsort(hashes, kind="stable")
    splits = np.full(len(hashes), _TRAIN, np.uint8)
    splits[order[:held_out]] = _VALIDATION
    splits[order[:test]] = _TEST
    return splits


if __name__ == "__main__":
    draws = np.random.default_rng(0).integers(0, 2**64, 1000, dtype=np.uint64)
    print(np.bincount(assign_splits(draws, 0.02, 0.02)))
