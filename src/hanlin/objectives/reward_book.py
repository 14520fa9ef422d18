"""Rewards put on one scale and added up, with a watch over those that say nothing.

The value of each reward is measured against human continuations: z = (value - mean) / deviation,
over all that the stage has seen up to the batch before. A band gives -|z|, what else counts gives
z; neither goes further than eight deviations. Until a few human continuations are known, nothing
is rewarded. The weighted mean of these is the reward of a continuation.

A value that is no number ends the stage with the reward's name. One that has been the same for
all continuations over many batches is told once, and an end is made where the whole reward is so:
a policy gradient without differences between continuations does nothing but cost time.

    python -m hanlin.objectives.reward_book
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hanlin.errors import HanlinError
from hanlin.objectives.rewards import Continuation, Reward

__all__ = ["CONSTANT", "RANDOM", "RewardBook"]

Floats = NDArray[np.float64]

RANDOM, CONSTANT = "random", "constant"
"""The controls, which look at no text."""

_FEWEST_HUMAN = 8
_FURTHEST = 8.0
_PATIENCE = 40
"""Batches that sample, over which a reward must have told two continuations apart once."""


class RewardBook:
    """The rewards of a stage, their weights, and what human text scores on them."""

    def __init__(
        self,
        rewards: Sequence[Reward],
        weights: Mapping[str, float],
        *,
        alarm: Callable[[str], None],
        patience: int = _PATIENCE,
    ) -> None:
        """Take rewards and the weight of each by name; `alarm` is told what goes wrong."""
        self.rewards = [reward for reward in rewards if weights.get(reward.name)]
        self.weights = {name: weight for name, weight in weights.items() if weight}
        self.moments = torch.zeros(len(self.rewards), 3, dtype=torch.float64)
        """Number, sum and sum of squares of the human values of each reward."""
        self.idle: dict[str, int] = dict.fromkeys([*self.weights, "all"], 0)
        """Batches in a row over which each reward was the same for all continuations."""
        self._alarm, self._patience = alarm, patience

    def score(
        self, continuations: Sequence[Continuation], group: int, generator: torch.Generator
    ) -> Tensor:
        """Return the reward of each continuation (R,), where `group` in a row have one prefix.

        Raises:
            HanlinError: a value is no number, or nothing was told apart for too long.
        """
        shares = {
            reward.name: self._share(reward, moments, continuations)
            for reward, moments in zip(self.rewards, self.moments.numpy(), strict=True)
        }
        count = len(continuations)
        if RANDOM in self.weights:
            chance = torch.randn(count, generator=generator, device=generator.device)
            shares[RANDOM] = chance.cpu().double().numpy()
        if CONSTANT in self.weights:
            shares[CONSTANT] = np.ones(count)
        total = sum((self.weights[n] * share for n, share in shares.items()), np.zeros(count))
        total = total / sum(self.weights.values())
        self._watch_all(total.reshape(-1, group))
        return torch.from_numpy(total).float()

    def observe(self, truths: Sequence[Continuation]) -> Tensor:
        """Return what human continuations add to the moments, (rewards, 3)."""
        values = [self._checked(reward, reward.human_values(truths)) for reward in self.rewards]
        rows = [[len(value), value.sum(), np.square(value).sum()] for value in values]
        return torch.tensor(rows, dtype=torch.float64).view(-1, 3)

    def _share(
        self, reward: Reward, moments: Floats, continuations: Sequence[Continuation]
    ) -> Floats:
        values = self._checked(reward, reward.values(continuations))
        self._watch(reward.name, values)
        known, total, squares = moments
        if known < _FEWEST_HUMAN:
            return np.zeros(len(continuations))
        mean = total / known
        spread = max(float(np.sqrt(max(0.0, squares / known - mean**2))), reward.least_spread)
        scores: Floats = np.clip((values - mean) / spread, -_FURTHEST, _FURTHEST)
        return -np.abs(scores) if reward.is_band else scores

    def _checked(self, reward: Reward, values: Floats) -> Floats:
        if np.isfinite(values).all():
            return values
        place = int(np.flatnonzero(~np.isfinite(values))[0])
        raise HanlinError(
            f"The reward {reward.name!r} is {values[place]} for continuation {place} of a batch. "
            f"Leave it out with language.rewards.{reward.name} = 0, or mend it."
        )

    def _watch(self, name: str, values: Floats) -> None:
        self.idle[name] = 0 if np.ptp(values) > 0 else self.idle[name] + 1
        if self.idle[name] == self._patience:
            self._alarm(
                f"The reward {name!r} has been {values[0]:.4g} for all continuations of "
                f"{self._patience} batches in a row; it teaches nothing so far."
            )

    def _watch_all(self, totals: Floats) -> None:
        if set(self.weights) == {CONSTANT}:
            return
        told_apart = bool((np.ptp(totals, axis=1) > 0).any()) or totals.shape[1] == 1
        self.idle["all"] = 0 if told_apart else self.idle["all"] + 1
        if self.idle["all"] >= 2 * self._patience:
            raise HanlinError(
                f"The rewards ({', '.join(self.weights)}) have told no two continuations of a "
                f"prefix apart in {self.idle['all']} batches in a row. Change language.rewards, or "
                "set language.policy = 0: a policy gradient learns nothing from this."
            )


if __name__ == "__main__":
    from hanlin.objectives.rewards import Repetition

    book = RewardBook([Repetition()], {"repetition": 1.0}, alarm=print)
    texts = [Continuation((1,), ids, False, "", "", "") for ids in ((1, 2, 3, 4, 5), (7,) * 5)]
    for _ in range(5):
        book.moments += book.observe(texts[:1] * 2)
    print(book.score(texts, 2, torch.Generator()))
