"""Continuations as texts, with what the critic thinks of them, handed to the rewards.

S prefixes, N new tokens, R continuations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hanlin.models import Decoder
from hanlin.objectives.continuations import Prefixes, Written, evaluating
from hanlin.objectives.critic import Critic, pool_states
from hanlin.objectives.reward_book import RewardBook
from hanlin.objectives.rewards import Continuation

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer

__all__ = ["Judge", "Seen"]


@dataclass(slots=True)
class Seen:
    """What one batch adds to memory; added up over all processes before it is."""

    words: Tensor
    """How often each token was written, (V,)."""
    moments: Tensor
    """What human continuations add to the reward book."""
    tokens: Tensor
    """Tokens read forward, learnt from, and read by the reference, (3,)."""


class Judge:
    """Rates what the model wrote."""

    def __init__(self, book: RewardBook, tokenizer: Tokenizer, critic: Critic | None) -> None:
        """Rate by the rewards of `book`."""
        self.book, self.critic = book, critic
        self._tokenizer = tokenizer

    def rate(
        self,
        prefixes: Prefixes,
        written: Written,
        model: Decoder,
        generator: torch.Generator,
        seen: Seen,
    ) -> Tensor:
        """Return the rewards (R,) of continuations that stand in groups of one prefix."""
        copies = len(written.ids) // len(prefixes.ids)
        judgements = [[0.0] * len(one.ids) for one in (prefixes.truth, written)]
        if self.critic is not None:
            judgements = self._ask(self.critic, prefixes, written, model, generator, seen)
        truths = self._describe(prefixes, prefixes.truth, 1, judgements[0])
        texts = self._describe(prefixes, written, copies, judgements[1])
        seen.moments += self.book.observe(truths)
        return self.book.score(texts, copies, generator).to(written.ids.device)

    def idle(self) -> None:
        """Stand in for `rate` where there is nothing to rate and other processes have."""
        if self.critic is not None:
            self.critic.idle()

    def _ask(
        self,
        critic: Critic,
        prefixes: Prefixes,
        written: Written,
        model: Decoder,
        generator: torch.Generator,
        seen: Seen,
    ) -> list[list[float]]:
        """Let the critic learn from this batch; return what it thinks of human and of own text."""
        human, own = (_pool(model, prefixes.ids, text) for text in (prefixes.truth, written))
        seen.tokens[0] += (len(human) + len(own)) * (prefixes.ids.shape[1] + written.ids.shape[1])
        critic.learn(human, own, generator)
        return [critic.judge(states).tolist() for states in (human, own)]

    def _describe(
        self, prefixes: Prefixes, text: Written, copies: int, judgements: list[float]
    ) -> list[Continuation]:
        decode = self._tokenizer.decode
        befores = prefixes.ids.tolist()
        truths = [decode(ids) for ids in _cut(prefixes.truth)]
        return [
            Continuation(
                prefix=tuple(befores[row // copies]),
                ids=ids,
                ended=ended,
                text=decode(ids),
                prefix_text=decode(befores[row // copies]),
                truth_text=truths[row // copies],
                judgement=judgements[row],
            )
            for row, (ids, ended) in enumerate(zip(_cut(text), text.ended.tolist(), strict=True))
        ]


@torch.no_grad()
def _pool(model: Decoder, prefixes: Tensor, text: Written) -> Tensor:
    """Return one pooled state a text, (R, C); the model is asked without dropout."""
    before = prefixes.repeat_interleave(len(text.ids) // len(prefixes), 0)
    with evaluating(model):
        hidden = model.hidden(torch.cat((before, text.ids), 1)[:, :-1])
    return pool_states(hidden[:, before.shape[1] - 1 :], text.written)


def _cut(text: Written) -> list[tuple[int, ...]]:
    """Return the tokens of each row without its end token."""
    lengths = (text.written.sum(1) - text.ended.long()).tolist()
    return [tuple(ids[:count]) for ids, count in zip(text.ids.tolist(), lengths, strict=True)]
