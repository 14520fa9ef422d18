"""Cross-entropy of answers alone: a prompt is read and not learnt, and no example sees another.

The rows are those of `hanlin.data.examples`; rows of plain text among them are learnt whole. The
sum is divided, by the loop, by the number of tokens that are targets. Every `<|endoftext|>` begins
a segment, and attention stays within its own: a packed example is answered as it would be alone.

    objective = Answers(eot_id=tokenizer.eot_id)
    loss = objective.loss(model, objective.prepare(rows, model, generator))

B batch, T time, C channels, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hanlin.data import PADDING, READ
from hanlin.objectives.base import Loss, Movable, Scores, StateDict, head_weight
from hanlin.objectives.cross_entropy import fused_cross_entropy, plain_cross_entropy
from hanlin.objectives.next_token import TokenBatch

__all__ = ["AnswerBatch", "Answers", "unhide"]


@runtime_checkable
class _SegmentedModel(Protocol):
    def hidden(self, ids: Tensor, *, segment_ids: Tensor) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class AnswerBatch:
    """A microbatch of examples."""

    tokens: TokenBatch
    segment_ids: Tensor
    """Which example each input is of, (B, T), counted from the left of its row."""
    given: Tensor
    """Whether each input is only read, (B, T); the beginning of an example is not among them."""


def unhide(rows: Tensor) -> TokenBatch:
    """Return the ids in rows (B, T + 1) of examples; what is only read weighs nothing."""
    numbers = rows.long()
    ids = torch.where(numbers <= READ, READ - numbers, numbers.clamp_min(0))
    return TokenBatch(ids[:, :-1], ids[:, 1:], (numbers[:, 1:] >= 0).float())


class Answers:
    """Cross-entropy of the tokens that rows of examples do not hide."""

    def __init__(self, *, eot_id: int, fused: bool = True) -> None:
        """Begin a segment at each `eot_id`; take the fused cross-entropy or the reference."""
        self._eot_id = eot_id
        self._fused = fused

    def prepare(
        self, batch: Tensor, model: nn.Module, generator: torch.Generator, progress: float = 0.0
    ) -> AnswerBatch:
        """Take rows (B, T + 1) apart; nothing is drawn by chance."""
        tokens = unhide(batch)
        # Padding has the id 0; it stays in the last segment, where nothing looks ahead to it.
        begins = (tokens.inputs == self._eot_id) & (batch[:, :-1] != PADDING)
        given = (batch[:, :-1].long() <= READ) & ~begins
        return AnswerBatch(tokens, begins.cumsum(1), given)

    def loss(self, model: nn.Module, prepared: AnswerBatch) -> Loss:
        """Return the summed cross-entropy of the targets in nats, and how many there are."""
        head = head_weight(model)  # (V, C)
        assert isinstance(model, _SegmentedModel)  # a decoder
        tokens, weights = prepared.tokens, _weights(prepared)
        hidden = model.hidden(tokens.inputs, segment_ids=prepared.segment_ids).flatten(0, 1)
        targets, flat = tokens.targets.flatten(), weights.flatten()
        if not self._fused:
            total = plain_cross_entropy(hidden, head, targets, weights=flat)
            return Loss(total, weights.sum(), {})
        # What is only read is most of a row; its logits would be computed to weigh nothing.
        learnt = flat.nonzero().squeeze(1)
        hidden = hidden.index_select(0, learnt)
        total = fused_cross_entropy(hidden, head, targets[learnt], weights=flat[learnt])
        return Loss(total, weights.sum(), {})

    def movable(self, prepared: AnswerBatch) -> list[Movable]:
        """Return the inputs, of which those move that are given and not written by the model."""
        ids = prepared.tokens.inputs
        groups = torch.where(prepared.given, prepared.segment_ids - 1, -1)
        return [Movable(ids, groups, torch.arange(len(ids), device=ids.device))]

    def scores(self, model: nn.Module, prepared: AnswerBatch) -> list[Scores]:
        """Return what the model says at each target: the plain way, for what needs it all."""
        head = head_weight(model)
        assert isinstance(model, _SegmentedModel)  # a decoder
        hidden = model.hidden(prepared.tokens.inputs, segment_ids=prepared.segment_ids)
        weights = _weights(prepared)
        rows, places = torch.nonzero(weights, as_tuple=True)
        logits = F.linear(hidden[rows, places], head).float()  # (N, V)
        targets = prepared.tokens.targets[rows, places]
        return [Scores(logits.log_softmax(-1), targets, weights[rows, places], rows)]

    def state_dict(self) -> StateDict:
        """Return nothing: this objective remembers nothing."""
        return {}

    def load_state_dict(self, state: StateDict) -> None:
        """Take nothing back."""


def _weights(prepared: AnswerBatch) -> Tensor:
    assert prepared.tokens.weights is not None  # set by prepare
    return prepared.tokens.weights
