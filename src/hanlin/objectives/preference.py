"""Learning from pairs: the preferred reply shall be likelier, compared with a model held fixed.

With y+ the preferred reply, y- the rejected one, x the prompt, and r(y) = ln p(y|x) - ln p_0(y|x)
the log-ratio to the reference p_0, which is the model that training started from:

    dpo    -ln sigmoid(beta (r(y+) - r(y-)))                       Rafailov et al. 2023, 2305.18290
    ipo    (r(y+) - r(y-) - 1 / (2 beta))^2                        Azar et al. 2023, 2310.12036
    simpo  -ln sigmoid(beta (l(y+) - l(y-)) - margin)              Meng et al. 2024, 2405.14734

where l(y) = ln p(y|x) / |y| needs no reference. Only the difference is learnt, so the probability
of the preferred reply may fall as long as the other's falls faster; `anchor` adds -l(y+) against
that. The sum is over pairs, and its weight is their number.

    python -m hanlin.objectives.preference

B pairs, W width of a half, T = W - 1 targets, C channels, V vocabulary, M targets that count.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hanlin.config import PreferenceConfig
from hanlin.models import Decoder
from hanlin.objectives.answers import unhide
from hanlin.objectives.base import LanguageModel, Loss, StateDict, head_weight
from hanlin.objectives.next_token import TokenBatch
from hanlin.objectives.token_scores import token_scores

__all__ = ["Preference", "PreferenceBatch", "preference_losses", "reply_scores"]


@dataclass(frozen=True, slots=True)
class PreferenceBatch:
    """A microbatch of pairs: preferred and rejected by turns, (2 B, T)."""

    tokens: TokenBatch
    lengths: Tensor
    """Targets of each reply, (B, 2)."""
    reference: Tensor | None
    """ln p_0 of each reply, (B, 2); None where the loss needs none."""


class Preference:
    """DPO, IPO or SimPO over rows of `hanlin.data.preferences`."""

    def __init__(self, reference: Decoder | None, config: PreferenceConfig) -> None:
        """Compare with `reference`, which is never changed; `simpo` takes None."""
        self.reference = None if reference is None else reference.eval().requires_grad_(False)
        self.config = config

    def prepare(
        self, batch: Tensor, model: nn.Module, generator: torch.Generator, progress: float = 0.0
    ) -> PreferenceBatch:
        """Take rows (B, 2 W) apart and score them with the reference; nothing is drawn."""
        halves = batch.reshape(2 * len(batch), -1)  # (2 B, W)
        used = int((halves != -1).sum(1).max())
        tokens = unhide(halves[:, :used])
        assert tokens.weights is not None  # set by unhide
        lengths = tokens.weights.sum(1).view(-1, 2)
        if self.reference is None:
            return PreferenceBatch(tokens, lengths, None)
        self.reference.to(batch.device, head_weight(model).dtype)
        with torch.no_grad():
            return PreferenceBatch(tokens, lengths, reply_scores(self.reference, tokens))

    def loss(self, model: nn.Module, prepared: PreferenceBatch) -> Loss:
        """Return the summed loss of the pairs and their number.

        Parts: `accuracy`, the share of pairs whose preferred reply is ahead; `margin`, by how much,
        in nats (a token, with `simpo`); `chosen`, ln p(y+) less the reference's.
        """
        scores = reply_scores(model, prepared.tokens)  # (B, 2)
        by_token = scores / prepared.lengths
        ratios = by_token if prepared.reference is None else scores - prepared.reference
        margins = ratios[:, 0] - ratios[:, 1]
        losses = preference_losses(margins, self.config)
        if self.config.anchor:
            losses = losses - self.config.anchor * by_token[:, 0]
        parts = {
            "accuracy": (margins.detach() > 0).float().sum(),
            "margin": margins.detach().sum(),
            "chosen": ratios[:, 0].detach().sum(),
        }
        return Loss(losses.sum(), float(len(losses)), parts)

    def state_dict(self) -> StateDict:
        """Return nothing: the reference never changes."""
        return {}

    def load_state_dict(self, state: StateDict) -> None:
        """Take nothing back."""


def preference_losses(margins: Tensor, config: PreferenceConfig) -> Tensor:
    """Return the loss of each margin r(y+) - r(y-), or l(y+) - l(y-) with `simpo`."""
    if config.loss == "ipo":
        return (margins - 1 / (2 * config.strength)).square()
    ahead = config.target_margin if config.loss == "simpo" else 0.0
    return -F.logsigmoid(config.strength * margins - ahead)


def reply_scores(model: nn.Module, tokens: TokenBatch) -> Tensor:
    """Return ln p of each reply given its prompt, (B, 2), from rows that alternate, (2 B, T)."""
    assert tokens.weights is not None
    head = head_weight(model)  # (V, C)
    assert isinstance(model, LanguageModel)
    counted = tokens.weights > 0
    hidden = model.hidden(tokens.inputs)[counted]  # (M, C)
    found, _ = token_scores(hidden, head, tokens.targets[counted])
    # Each place is written once, so that the backward pass adds nothing up in an order of its own.
    places = torch.zeros(counted.shape, device=found.device).masked_scatter(counted, found)
    return places.sum(1).view(-1, 2)


if __name__ == "__main__":
    asked = PreferenceConfig(path="pairs.jsonl")
    print(preference_losses(torch.tensor([-5.0, 0.0, 5.0]), asked))
