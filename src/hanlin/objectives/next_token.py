"""Next-token prediction: the mean negative log-likelihood of each token given those before it.

    objective = NextToken()
    prepared = objective.prepare(rows, model, generator)   # rows (B, T + 1)
    loss = objective.loss(model, prepared)                 # sum, weight, parts

B batch, T time, C channels, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hanlin.objectives.base import LanguageModel, Loss, StateDict, head_weight
from hanlin.objectives.cross_entropy import fused_cross_entropy, plain_cross_entropy
from hanlin.objectives.targets import Markers, hidden_targets

__all__ = ["IGNORED", "NextToken", "TokenBatch", "token_batch"]

IGNORED = -1
"""The id of a token that is no target and no input, such as padding."""


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """A microbatch: what the model reads, and what it should say."""

    inputs: Tensor
    """Token ids (B, T), int64."""
    targets: Tensor
    """The token after each, (B, T), int64."""
    weights: Tensor | None
    """1 where a target counts and 0 where it does not, (B, T) fp32; None if all count."""


def token_batch(batch: Tensor, markers: Markers | None = None) -> TokenBatch:
    """Split rows of ids (B, T + 1) into inputs and targets.

    Padding is no target; with `markers`, neither is what transformed text only gives to read.
    """
    ids = batch.long()
    inputs, targets = ids[:, :-1], ids[:, 1:]
    hidden = hidden_targets(ids, markers) if markers else None
    if hidden is None and not bool((ids < 0).any()):
        return TokenBatch(inputs, targets, None)
    counted = targets >= 0
    if hidden is not None:
        counted &= ~hidden[:, 1:]
    return TokenBatch(inputs.clamp_min(0), targets.clamp_min(0), counted.float())


class NextToken:
    """Cross-entropy of the next token, summed over all tokens that are not `IGNORED`."""

    def __init__(self, *, fused: bool = True, markers: Markers | None = None) -> None:
        """Take the fused cross-entropy, or the plain reference.

        With `markers`, only the well-formed side of transformed text is learnt.
        """
        self.fused = fused
        self.markers = markers

    def prepare(
        self, batch: Tensor, model: nn.Module, generator: torch.Generator, progress: float = 0.0
    ) -> TokenBatch:
        """Split rows of ids (B, T + 1) into inputs and targets; nothing is drawn by chance."""
        return token_batch(batch, self.markers)

    def loss(self, model: nn.Module, prepared: TokenBatch) -> Loss:
        """Return the summed cross-entropy in nats and the number of targets."""
        head = head_weight(model)  # (V, C)
        assert isinstance(model, LanguageModel)  # head_weight has said otherwise
        hidden = model.hidden(prepared.inputs).flatten(0, 1)  # (B * T, C)
        targets = prepared.targets.flatten()
        weights = None if prepared.weights is None else prepared.weights.flatten()
        cross_entropy = fused_cross_entropy if self.fused else plain_cross_entropy
        total = cross_entropy(hidden, head, targets, weights=weights)
        counted = float(targets.numel()) if weights is None else weights.sum()
        return Loss(total, counted, {})

    def state_dict(self) -> StateDict:
        """Return nothing: this objective remembers nothing."""
        return {}

    def load_state_dict(self, state: StateDict) -> None:
        """Take nothing back."""
