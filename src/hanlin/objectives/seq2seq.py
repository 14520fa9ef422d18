"""Teacher forcing: the decoder reads the true target and says the word after each of its words.

    reads    <start> w_1 ... w_m          (never <end>)
    learns   w_1 ... w_m <end>            (never <start>, never padding)

The loss is the cross-entropy of the target's words alone. With label smoothing e (Szegedy et al.
2016, arXiv 1512.00567) the truth is 1 - e on the word and e spread over all V entries:

    (1 - e) (-ln p(w)) + e mean_v (-ln p(v))

    python -m hanlin.objectives.seq2seq

B batch, W width of a row, S source length, T target length, N words learnt.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hanlin.errors import DataError, ModelError
from hanlin.models.seq2seq import Seq2Seq
from hanlin.objectives.base import Loss, StateDict
from hanlin.objectives.cross_entropy import fused_cross_entropy

__all__ = ["Seq2SeqBatch", "TeacherForcing", "unpack_pairs"]


@dataclass(frozen=True, slots=True)
class Seq2SeqBatch:
    """A microbatch: what is read on both sides, and what should be said."""

    source: Tensor
    """Source ids (B, S), padded with 0 on the right."""
    inputs: Tensor
    """Target ids that the decoder reads (B, T), padded with 0."""
    targets: Tensor
    """The word after each, (B, T), 0 where nothing is learnt."""


def unpack_pairs(rows: Tensor) -> Seq2SeqBatch:
    """Take rows (B, W) of `hanlin.data.pairs.pack_pairs` apart, no wider than the longest needs.

    >>> batch = unpack_pairs(torch.tensor([[2, 5, 6, 1, 8, 2], [1, 7, 1, 2, 0, 0]]))
    >>> batch.source.tolist(), batch.inputs.tolist(), batch.targets.tolist()
    ([[5, 6], [7, 0]], [[1, 8], [1, 0]], [[8, 2], [2, 0]])
    """
    rows = rows.long()
    sizes, words = rows[:, :1], F.pad(rows[:, 1:], (0, 1))  # a last column of padding to point at
    last = words.shape[1] - 1
    places = torch.arange(last, device=rows.device)
    source = torch.where(places < sizes, words[:, :-1], 0)
    whole = words.gather(1, (places + sizes).clamp_max(last))  # targets, moved to the left
    source = source[:, : int(sizes.max())]
    whole = whole[:, : int((whole > 0).sum(1).max())]
    targets = whole[:, 1:]
    return Seq2SeqBatch(source, torch.where(targets > 0, whole[:, :-1], 0), targets)


class TeacherForcing:
    """Cross-entropy of a target's words, given its source and its true words before."""

    def __init__(self, *, label_smoothing: float = 0.0) -> None:
        """Take the share of the truth that is spread over all words.

        Raises:
            ModelError: the share does not lie in [0, 1).
        """
        if not 0 <= label_smoothing < 1:
            raise ModelError(f"label_smoothing is {label_smoothing}; give a share from 0 up to 1.")
        self.label_smoothing = label_smoothing

    def prepare(
        self, batch: Tensor, model: nn.Module, generator: torch.Generator, progress: float = 0.0
    ) -> Seq2SeqBatch:
        """Take rows (B, W) of packed pairs apart; nothing is drawn by chance."""
        config, prepared = _two_halves(model).config, unpack_pairs(batch)
        _check(prepared.source, config.source_vocab_size, "source")
        _check(prepared.targets, config.target_vocab_size, "target")
        return prepared

    def loss(self, model: nn.Module, prepared: Seq2SeqBatch) -> Loss:
        """Return the summed loss in nats and the number of words learnt.

        Where labels are smoothed, the part `cross_entropy` is the loss without smoothing.
        """
        model = _two_halves(model)
        hidden = model.decoder.hidden(prepared.inputs, model.encoder(prepared.source))
        learnt = prepared.targets > 0
        states, words = hidden[learnt], prepared.targets[learnt]  # (N, C), (N,)
        head = model.decoder.head_matrix
        count = float(words.numel())
        if not self.label_smoothing:
            return Loss(fused_cross_entropy(states, head, words), count, {})
        total, plain = smoothed_cross_entropy(states, head, words, self.label_smoothing)
        return Loss(total, count, {"cross_entropy": plain.detach()})

    def state_dict(self) -> StateDict:
        """Return nothing: this objective remembers nothing."""
        return {}

    def load_state_dict(self, state: StateDict) -> None:
        """Take nothing back."""


def smoothed_cross_entropy(
    hidden: Tensor, head: Tensor, words: Tensor, smoothing: float
) -> tuple[Tensor, Tensor]:
    """Return the summed loss with smoothed labels, and without, for states (N, C)."""
    logprobs = F.linear(hidden, head).float().log_softmax(-1)  # (N, V)
    plain = -logprobs.gather(1, words[:, None]).sum()
    spread = -logprobs.mean(-1).sum()
    return (1 - smoothing) * plain + smoothing * spread, plain


def _two_halves(model: nn.Module) -> Seq2Seq:
    if isinstance(model, Seq2Seq):
        return model
    raise ModelError(
        f"{type(model).__name__} has no encoder and decoder. Train a model of `build_seq2seq` with "
        "this objective."
    )


def _check(ids: Tensor, size: int, side: str) -> None:
    largest = int(ids.max())
    if largest >= size:
        raise DataError(
            f"The pairs hold the {side} id {largest}, but the model's {side} vocabulary ends at "
            f"{size - 1}. Encode them with the tokenizer that the model was built for."
        )


if __name__ == "__main__":
    print(unpack_pairs(torch.tensor([[2, 5, 6, 1, 8, 2], [1, 7, 1, 2, 0, 0]])))
