"""Which held-out documents share runs of 13 units with the training text.

A unit is a word or a Han character (hanlin.text.units), and a run of 13 that also stands in the
training text was seen before (Brown et al. 2020, appendix C). The held-out runs are indexed, since
they are few, and the training text streams past them. A held-out document's share is that of its
distinct runs which were found. Where the runs are many, those whose hash has the lowest bits zero
stand for all, on both sides alike, so that memory is bounded and shares stay unbiased.

    python -m hanlin.text.contamination
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from hanlin.text.units import hash_ngrams, hash_units

__all__ = ["CONTAMINATED", "RunIndex"]

CONTAMINATED = 0.2
"""Share of runs found from which a document counts as contaminated."""

_RUN = 13
_MOST_RUNS = 4_000_000  # about 240 MB while they are sorted


class RunIndex:
    """The runs of some held-out documents, and which of them were found in other text.

    >>> index = RunIndex(["a b c d e f g h i j k l m n"])
    >>> index.mark("z a b c d e f g h i j k l m")
    >>> index.shares().tolist()
    [0.5]
    """

    def __init__(self, texts: Iterable[str], *, most_runs: int = _MOST_RUNS) -> None:
        """Index the texts, or a sample of at most `most_runs` of their runs."""
        self._zero_bits = np.uint64(0)
        runs: list[npt.NDArray[np.uint64]] = []
        total = 0
        for text in texts:
            runs.append(np.unique(self._runs(text)))
            total += len(runs[-1])
            while total > most_runs:
                self._zero_bits = self._zero_bits * np.uint64(2) + np.uint64(1)
                runs = [self._sample(run) for run in runs]
                total = sum(map(len, runs))
        self._lengths = np.array([len(run) for run in runs], np.int64)
        every = np.concatenate([*runs, np.empty(0, np.uint64)])
        self._known, self._places = np.unique(every, return_inverse=True)
        self._found = np.zeros(len(self._known), bool)

    def mark(self, text: str) -> None:
        """Note which of the indexed runs stand in a text."""
        if not len(self._known):
            return
        places = self._lookup(self._runs(text))
        self._found[places[places >= 0]] = True

    def overlap(self, text: str) -> float:
        """Return the share of a text's distinct runs that are indexed."""
        if not len(self._known):
            return 0.0
        runs = np.unique(self._runs(text))
        return float((self._lookup(runs) >= 0).mean()) if len(runs) else 0.0

    def shares(self) -> npt.NDArray[np.float64]:
        """Return the share of each document's runs that were marked, shape (documents,)."""
        owners = np.repeat(np.arange(len(self._lengths)), self._lengths)
        found = np.bincount(owners, weights=self._found[self._places], minlength=len(self._lengths))
        return found / np.maximum(1, self._lengths)

    def _runs(self, text: str) -> npt.NDArray[np.uint64]:
        units = hash_units(text)
        return self._sample(hash_ngrams(units, _RUN)) if len(units) >= _RUN else units[:0]

    def _sample(self, runs: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        return runs[runs & self._zero_bits == 0] if self._zero_bits else runs

    def _lookup(self, runs: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """Return each run's place in an index that is not empty, -1 where it has none."""
        places = np.searchsorted(self._known, runs)
        places[places == len(self._known)] = 0
        return np.where(self._known[places] == runs, places, -1)


if __name__ == "__main__":
    held_out = RunIndex(["床前明月光疑是地上霜举头望明月低头思故乡"])
    held_out.mark("李白诗云：床前明月光，疑是地上霜。举头望明月，")
    print(held_out.shares())
