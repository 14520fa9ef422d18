"""Labelled examples as rows: what is only read, what is learnt, and which example a token is of.

A row holds whole examples, packed by best fit. Every example begins with `<|endoftext|>`, so that
where one ends and the next begins follows from the ids. A token that is read but is no target is
written as -(id + 2), which keeps a row one plain array of numbers:

    id >= 0   a token that is learnt        -1   padding        id <= -2   a token that is read

`hanlin.objectives.answers` takes the three apart again.

    python -m hanlin.data.examples
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hanlin.data.packing import PADDING, pack_best_fit

__all__ = ["READ", "ExampleRows", "hide_tokens", "task_shares"]

READ = -2
"""The number that token 0 has where it is read only; from there on downwards."""
_GROUP = 4096


@dataclass(frozen=True)
class ExampleRows:
    """Examples of one task, packed into rows of T + 1 numbers."""

    numbers: NDArray[np.int32] = field(repr=False)
    """All examples end to end, tokens that are only read hidden."""
    starts: NDArray[np.int64] = field(repr=False)
    """Where each example starts, and behind the last one the end."""
    row_length: int
    plan: list[list[int]] = field(repr=False)

    @classmethod
    def pack(cls, examples: Iterable[NDArray[np.int32]], row_length: int) -> ExampleRows:
        """Pack examples of `hide_tokens`; each has at most `row_length` + 1 numbers."""
        kept = list(examples)
        lengths = [len(example) for example in kept]
        assert max(lengths) <= row_length + 1, "an example that no row holds is left out before"
        plan: list[list[int]] = []
        for first in range(0, len(kept), _GROUP):
            bins = pack_best_fit(lengths[first : first + _GROUP], row_length + 1)
            plan.extend([first + number for number in row] for row in bins)
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return cls(np.concatenate(kept).astype(np.int32), starts, row_length, plan)

    @property
    def num_rows(self) -> int:
        """Rows in an epoch."""
        return len(self.plan)

    @property
    def num_examples(self) -> int:
        """Examples in an epoch."""
        return len(self.starts) - 1

    def row(self, number: int, epoch_key: int) -> NDArray[np.int32]:
        """Return row `number` (T + 1,); every example is in one row, whole."""
        del epoch_key
        row = np.full(self.row_length + 1, PADDING, dtype=np.int32)
        filled = 0
        for example in self.plan[number]:
            piece = self.numbers[self.starts[example] : self.starts[example + 1]]
            row[filled : filled + len(piece)] = piece
            filled += len(piece)
        return row


def hide_tokens(ids: Sequence[int], learnt: Sequence[bool]) -> NDArray[np.int32]:
    """Return an example as numbers: ids where they are learnt, hidden where they are only read.

    >>> hide_tokens([0, 100, 101], [False, False, True]).tolist()
    [-2, -102, 101]
    """
    numbers = np.asarray(ids, dtype=np.int32)
    return np.where(np.asarray(learnt, dtype=bool), numbers, READ - numbers).astype(np.int32)


def task_shares(
    rows: Mapping[str, ExampleRows],
    *,
    weights: Mapping[str, float],
    caps: Mapping[str, int],
    temperature: float,
) -> dict[str, float]:
    """Return each task's share of the rows, which add up to 1.

    Of the examples, task i has the share p_i, proportional to weight_i min(n_i, cap_i)^(1/T)
    (Raffel et al. 2020, arXiv 1910.10683); long examples need more rows for that.
    """
    exponent = 1 / temperature
    parts = {
        name: weights[name]
        * min(task.num_examples, caps[name]) ** exponent
        * (task.num_rows / task.num_examples)
        for name, task in rows.items()
    }
    total = sum(parts.values())
    return {name: part / total for name, part in parts.items()}


if __name__ == "__main__":
    question = hide_tokens([0, 100, 101, 5, 102, 0], [False] * 4 + [True] * 2)
    print(ExampleRows.pack([question, question, question[:4]], row_length=11).row(0, 0))
