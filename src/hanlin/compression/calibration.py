"""Calibration text: rows of tokens that show a model's layers what they meet in use.

Languages take turns, so that a bilingual model is calibrated on both whatever the text's order.

    python -m hanlin.compression.calibration
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from hanlin.errors import DataError
from hanlin.evaluation import HeldOutDocument

__all__ = ["calibration_rows"]


def calibration_rows(
    documents: Sequence[HeldOutDocument], *, eot_id: int, length: int, rows: int
) -> Tensor:
    """Return up to `rows` rows of `length` tokens (R, T), cut from documents in turns of language.

    Raises:
        DataError: the text does not fill one row.
    """
    by_language: dict[str, list[HeldOutDocument]] = {}
    for document in documents:
        by_language.setdefault(document.language, []).append(document)
    queues = [_rows_of(group, eot_id, length) for group in by_language.values()]
    taken: list[list[int]] = []
    while queues and len(taken) < rows:
        for queue in list(queues):
            row = next(queue, None)
            if row is None:
                queues.remove(queue)
            elif len(taken) < rows:
                taken.append(row)
    if not taken:
        raise DataError(
            f"The calibration text is too short: no language fills a row of {length} tokens. "
            "Give more text with --calibration."
        )
    return torch.tensor(taken)


def _rows_of(documents: Iterable[HeldOutDocument], eot_id: int, length: int) -> Iterator[list[int]]:
    """Yield rows of documents set one after the other, each behind <|endoftext|>."""
    waiting: list[int] = []
    for document in documents:
        waiting += [eot_id, *document.ids.tolist()]
        while len(waiting) >= length:
            yield waiting[:length]
            waiting = waiting[length:]


if __name__ == "__main__":
    import numpy as np

    letters = [HeldOutDocument(name, np.arange(4), 4, 4, lossless=True) for name in ("zh", "en")]
    print(calibration_rows(letters, eot_id=9, length=3, rows=2))
