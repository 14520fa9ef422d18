"""The language stage's objective: cross-entropy, with what else is asked, in one gradient.

    (1 - g) CE + alpha UL + c confidence                     on the tokens of the text
    + g policy + beta UL of own n-grams + omega overuse + kappa KL(model || reference)
                                                             on the model's own text

each a mean over the tokens that it looks at. g is 0 in batches that do not sample: a share of them
does, evenly spread. The *value* of the loss is the cross-entropy alone, so that the loss, the bits
per byte and the guard mean in this stage what they mean in any; the *gradient* is the mixture's.
The other terms are logged by name. In a batch that does not sample, those of own text are logged
as they were in the last that did.

    objective = LanguageMixture(config, writer=writer, allowed=allowed, eot_id=0)

B batch, T time, S prefixes, D continuations of each, N new tokens.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hanlin.config import LanguageConfig
from hanlin.models import Decoder
from hanlin.objectives.base import LanguageModel, Loss, StateDict, head_weight
from hanlin.objectives.next_token import TokenBatch, token_batch
from hanlin.objectives.own_text import OwnText
from hanlin.objectives.policy_gradient import divergence, minimum_risk, reinforce
from hanlin.objectives.targets import Markers
from hanlin.objectives.token_scores import token_scores
from hanlin.objectives.unlikelihood import (
    TokenLosses,
    TokenMix,
    TokenTargets,
    earlier_tokens,
    fused_token_losses,
    unlikelihood,
)
from hanlin.objectives.writer import Writer

__all__ = ["LanguageMixture", "MixtureBatch"]


@dataclass(frozen=True, slots=True)
class MixtureBatch:
    """A microbatch of text, and what the model wrote after some of it."""

    tokens: TokenBatch
    own: OwnText | None


class LanguageMixture:
    """Next-token prediction, unlikelihood and policy gradient together."""

    def __init__(
        self,
        config: LanguageConfig,
        *,
        writer: Writer,
        allowed: Tensor,
        eot_id: int,
        markers: Markers | None = None,
    ) -> None:
        """Mix as `config` says; `allowed` (V,) is 1 for tokens that may be penalised.

        `markers` name the control tokens after which transformed text is only read.
        """
        self.config, self.writer = config, writer
        self._allowed, self._eot_id, self._markers = allowed, eot_id, markers
        self._batches = 0
        self._last = dict.fromkeys(_names(config), 0.0)

    def prepare(
        self, batch: Tensor, model: nn.Module, generator: torch.Generator, progress: float = 0.0
    ) -> MixtureBatch:
        """Split rows (B, T + 1) into inputs and targets; write own text if it is time."""
        tokens = token_batch(batch, self._markers)
        own = None
        if self._is_time():
            assert isinstance(model, Decoder), "only a decoder writes"
            own = self.writer.write(batch, model, generator)
        self._batches += 1
        return MixtureBatch(tokens, own)

    def loss(self, model: nn.Module, prepared: MixtureBatch) -> Loss:
        """Return the cross-entropy in nats with the mixture's gradient, and the parts."""
        policy = self.config.policy if prepared.own is not None else 0.0
        found = self._token_losses(model, prepared.tokens, 1 - policy)
        weights = prepared.tokens.weights
        counted = float(prepared.tokens.targets.numel()) if weights is None else weights.sum()
        mixed = found.total
        if prepared.own is not None:
            mixed = mixed + counted * self._own_loss(model, prepared.own)
        parts = {"cross_entropy": found.cross_entropy}
        if self.config.token_unlikelihood:
            parts["token_unlikelihood"] = found.unlikelihood
        if self.config.confidence:
            parts["confidence"] = found.confidence
        for name, value in self._last.items():
            parts[name] = found.cross_entropy.new_tensor(value) * counted
        return Loss(mixed - mixed.detach() + found.cross_entropy, counted, parts)

    def state_dict(self) -> StateDict:
        """Return what the writer remembers, and how many batches there were."""
        writer, judge = self.writer, self.writer.judge
        state: StateDict = {
            "batches": self._batches,
            "last": dict(self._last),
            "written": writer.overuse.written,
            "tally": writer.tally.tokens,
            "seconds": [writer.tally.writing, writer.tally.scoring],
            "moments": judge.book.moments,
            "idle": dict(judge.book.idle),
        }
        if judge.critic is not None:
            state |= {"critic": judge.critic.state, "critic_steps": judge.critic.taken}
        return state

    def load_state_dict(self, state: StateDict) -> None:
        """Take back what `state_dict` gave."""
        writer, judge = self.writer, self.writer.judge
        self._batches, self._last = state["batches"], dict(state["last"])
        writer.overuse.written = state["written"].clone()
        writer.tally.tokens = state["tally"].clone()
        writer.tally.writing, writer.tally.scoring = state["seconds"]
        judge.book.moments, judge.book.idle = state["moments"].clone(), dict(state["idle"])
        if judge.critic is not None:
            judge.critic.state = state["critic"].clone()
            judge.critic.taken = state["critic_steps"]

    def _is_time(self) -> bool:
        """Whether the next batch samples: evenly spread, and on all processes together."""
        share = self.config.batch_share if self.config.samples else 0.0
        return int((self._batches + 1) * share) > int(self._batches * share)

    def _token_losses(self, model: nn.Module, tokens: TokenBatch, share: float) -> TokenLosses:
        config = self.config
        head = head_weight(model)  # (V, C)
        assert isinstance(model, LanguageModel)  # head_weight has said otherwise
        hidden = model.hidden(tokens.inputs).flatten(0, 1)  # (B * T, C)
        window = config.window if config.token_unlikelihood else 1
        targets = TokenTargets(
            ids=tokens.targets.flatten(),
            weights=None if tokens.weights is None else tokens.weights.flatten(),
            earlier=earlier_tokens(tokens.inputs, window, self._eot_id).flatten(0, 1),
            allowed=self._allowed.to(hidden.device),
        )
        mix = TokenMix(share, config.token_unlikelihood, config.confidence, config.confident_above)
        return fused_token_losses(hidden, head, targets, mix)

    def _own_loss(self, model: nn.Module, own: OwnText) -> Tensor:
        """Return the mixture of the terms on own text, and remember each."""
        config = self.config
        logprobs, entropies = self._own_scores(model, own)
        costs = unlikelihood(logprobs)
        terms = {
            "sequence_unlikelihood": (costs * own.repeated).sum() / max(1, own.judged),
            "overuse": (costs * own.overused).sum() / max(1, own.judged),
        }
        if own.credit is not None and own.rewards is not None:
            drawn = logprobs[:, : own.rewards.shape[1]]
            counted = own.written[:, : own.rewards.shape[1]]
            if config.variant == "minimum_risk":
                terms["policy"] = minimum_risk(drawn, counted, own.rewards, config.risk_sharpness)
            else:
                terms["policy"] = reinforce(drawn, own.credit)
            terms["reward"] = own.rewards.mean()
            if own.reference is not None:
                terms["kl"] = divergence(drawn, own.reference, counted)
        terms["repeated"] = own.repeated.sum() / max(1, own.judged)
        terms["entropy"] = (entropies * own.written).sum() / own.written.sum().clamp_min(1)
        self._remember(terms)
        factors = {
            "sequence_unlikelihood": config.sequence_unlikelihood,
            "overuse": config.overuse,
            "policy": config.policy,
            "kl": config.kl,
        }
        return torch.stack([factors[n] * terms[n] for n in factors if n in terms]).sum()

    def _remember(self, terms: Mapping[str, Tensor]) -> None:
        """Keep what is logged; a step that the guard will refuse leaves no trace here either."""
        values = {name: float(terms[name].detach()) for name in self._last}
        if all(map(math.isfinite, values.values())):
            self._last = values

    def _own_scores(self, model: nn.Module, own: OwnText) -> tuple[Tensor, Tensor]:
        """Return log p and entropy at each token of own text, (S, D, N) each."""
        assert isinstance(model, LanguageModel)
        first = own.prefixes.shape[1] - 1
        hidden = model.hidden(own.rows[:, :-1])[:, first:].flatten(0, 1)
        # What is never drawn takes no part in the distribution that was drawn from.
        head = head_weight(model)[: self.writer.tokenizer.vocab_size]
        logprobs, entropies = token_scores(hidden, head, own.ids.flatten())
        return logprobs.view_as(own.ids), entropies.view_as(own.ids)


def _names(config: LanguageConfig) -> tuple[str, ...]:
    """Return the terms of own text that are logged."""
    wanted = {
        "sequence_unlikelihood": config.sequence_unlikelihood,
        "overuse": config.overuse,
        "policy": config.policy,
        "kl": config.policy * config.kl,
        "reward": config.policy,
        "repeated": config.sequence_unlikelihood,
        "entropy": float(config.samples),
    }
    return tuple(name for name, weight in wanted.items() if weight)
