"""What teachers say of each row, worked out once and read from disk from then on.

For every token the K likeliest next ones of the teachers' mean distribution are kept, their
log-probabilities in float16 and their ids in the least whole type that holds the vocabulary, with
the logarithm of the rest's mass in float32: 4 K + 4 bytes a token up to 65,536 entries. Rounding
moves a probability by 0.05 % of its logarithm at most; what is read is divided by its sum, so that
it is a distribution again.

    targets = CachedTargets(RowStore.open(folder, target_record(length, k, vocab_size)))
    soft = targets.read(batch)        # a TopK, for the soft-target loss

R rows, T time, K kept, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hanlin.data import RowStore
from hanlin.models import Decoder
from hanlin.objectives.base import head_weight
from hanlin.objectives.cross_entropy import chunk_rows
from hanlin.objectives.next_token import token_batch
from hanlin.objectives.soft_targets import Predictions, mean_log_probs
from hanlin.objectives.top_k import TopK, top_k_of

__all__ = ["CachedTargets", "judge_rows", "pack", "target_record"]

_LOWEST = float(torch.finfo(torch.float16).min)


@dataclass(frozen=True, slots=True)
class CachedTargets:
    """Soft targets by row."""

    store: RowStore

    def read(self, batch: Tensor) -> TopK:
        """Return the targets of rows of ids (R, T + 1), on their device: a row for each token.

        Raises:
            DataError: a row was never judged.
        """
        found = self.store.find(batch.cpu().numpy())
        width = found["ids"].shape[-1]

        def tensor(name: str, dtype: torch.dtype) -> Tensor:
            wide = found[name].astype(np.int64) if name == "ids" else found[name].copy()
            return torch.from_numpy(wide).to(batch.device, dtype)

        return TopK.scaled(
            tensor("ids", torch.int64).reshape(-1, width),
            tensor("log_probs", torch.float32).reshape(-1, width),
            tensor("tail", torch.float32).flatten(),
        )

    def as_dict(self) -> dict[str, float]:
        """Return how much there is of it, as JSON values."""
        record = self.store.dtype
        tokens = record["tail"].shape[0]
        return {
            "rows": len(self.store.keys),
            "bytes": self.store.num_bytes,
            "bytes_per_token": record.itemsize / tokens,
        }


def target_record(length: int, k: int, vocab_size: int) -> np.dtype[np.void]:
    """Return the record of a row of `length` tokens.

    >>> target_record(256, 64, 16_384).itemsize / 256
    260.0
    """
    ids = "<u2" if vocab_size <= 1 << 16 else "<u4"
    return np.dtype(
        [("tail", "<f4", (length,)), ("log_probs", "<f2", (length, k)), ("ids", ids, (length, k))]
    )


def pack(targets: TopK, record: np.dtype[np.void]) -> NDArray[np.void]:
    """Return the records of rows that lie one after another in `targets`."""
    packed = np.empty(len(targets.tail) // record["tail"].shape[0], dtype=record)
    packed["tail"] = targets.tail.cpu().numpy().reshape(packed["tail"].shape)
    low = targets.log_probs.clamp_min(_LOWEST).half().cpu().numpy()
    packed["log_probs"] = low.reshape(packed["log_probs"].shape)
    packed["ids"] = targets.ids.cpu().numpy().reshape(packed["ids"].shape)
    return packed


@torch.no_grad()
def judge_rows(teachers: Sequence[Decoder], batch: Tensor, *, k: int, temperature: float) -> TopK:
    """Return the likeliest tokens of the teachers' mean distribution for rows (R, T + 1)."""
    inputs = token_batch(batch).inputs
    heard = [Predictions(t.hidden(inputs).flatten(0, 1), head_weight(t)) for t in teachers]
    size = chunk_rows(heard[0].head.shape[0])
    found = [
        top_k_of(mean_log_probs(heard, slice(start, start + size), temperature), k)
        for start in range(0, inputs.numel(), size)
    ]
    return TopK(
        torch.cat([part.ids for part in found]),
        torch.cat([part.log_probs for part in found]),
        torch.cat([part.tail for part in found]),
    )
