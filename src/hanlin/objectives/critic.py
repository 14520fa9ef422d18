"""A learned critic: tells human from machine text by the decoder's hidden states.

    L = mean f(machine) - mean f(human) + 10 (|grad f(x)| - 1)^2

with x on straight lines between the two (Wasserstein GAN with gradient penalty, Gulrajani et al.
2017, 1704.00028). f is one hidden layer over the mean of a text's states, scaled to a root mean
square of one. It learns a few steps of Adam beside each batch that samples, before it judges; what
it gives is one more reward. Parameters and moments are three flat vectors, so that all of its
state is one tensor.

    python -m hanlin.objectives.critic

R texts, C channels, H hidden units.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from hanlin.objectives.processes import sum_over_processes

__all__ = ["Critic", "pool_states"]

_HIDDEN = 64
_PENALTY = 10.0
_BETAS = (0.5, 0.9)
_EPS = 1e-8


class Critic:
    """f, with its own optimiser."""

    def __init__(self, width: int, *, rate: float, steps: int, seed: int) -> None:
        """Begin with weights drawn from `seed`, for states of `width` channels."""
        self.rate, self.steps, self._width = rate, steps, width
        chance = torch.Generator().manual_seed(seed)
        first = torch.randn(_HIDDEN, width, generator=chance) / width**0.5
        last = torch.randn(_HIDDEN, generator=chance) / _HIDDEN**0.5
        flat = torch.cat((first.flatten(), torch.zeros(_HIDDEN), last))
        self.state = torch.stack((flat, torch.zeros_like(flat), torch.zeros_like(flat)))
        """Parameters and Adam's two moments, (3, parameters)."""
        self.taken = 0
        """Steps taken."""

    def judge(self, states: Tensor) -> Tensor:
        """Return f of pooled states (R, C): the higher, the more human, (R,)."""
        with torch.no_grad():
            return self._apply(self.state[0].to(states.device), states)

    def learn(self, human: Tensor, machine: Tensor, generator: torch.Generator) -> None:
        """Take some steps on pooled states (R, C) of each kind; all chance comes from outside."""
        self.state = self.state.to(human.device)
        for _ in range(self.steps):
            weights = self.state[0].clone().requires_grad_()
            with torch.enable_grad():
                loss = self._loss(weights, human, machine, generator)
            (gradient,) = torch.autograd.grad(loss, weights)
            self._move(sum_over_processes(gradient))

    def idle(self) -> None:
        """Take as many steps as `learn` on no text, beside processes that have some."""
        for _ in range(self.steps):
            self._move(sum_over_processes(torch.zeros_like(self.state[0])))

    def _loss(
        self, weights: Tensor, human: Tensor, machine: Tensor, generator: torch.Generator
    ) -> Tensor:
        count = len(machine)
        chance = torch.rand(2, count, generator=generator, device=generator.device)
        chance = chance.to(machine.device)
        partners = human[(chance[0] * len(human)).long()]
        between = torch.lerp(partners, machine, chance[1, :, None]).requires_grad_()
        (slopes,) = torch.autograd.grad(
            self._apply(weights, between).sum(), between, create_graph=True
        )
        steepness = (slopes.norm(dim=1) - 1).square().mean()
        gap = self._apply(weights, machine).mean() - self._apply(weights, human).mean()
        loss: Tensor = gap + _PENALTY * steepness
        return loss

    def _apply(self, weights: Tensor, states: Tensor) -> Tensor:
        size = _HIDDEN * self._width
        first, bias, last = weights[:size], weights[size:-_HIDDEN], weights[-_HIDDEN:]
        hidden = F.silu(F.linear(states, first.view(_HIDDEN, self._width), bias))
        scores: Tensor = torch.mv(hidden, last)
        return scores

    def _move(self, gradient: Tensor) -> None:
        self.taken += 1
        weights, mean, square = self.state
        mean.lerp_(gradient, 1 - _BETAS[0])
        square.lerp_(gradient.square(), 1 - _BETAS[1])
        steady = mean / (1 - _BETAS[0] ** self.taken)
        spread = (square / (1 - _BETAS[1] ** self.taken)).sqrt()
        weights.sub_(self.rate * steady / (spread + _EPS))


def pool_states(hidden: Tensor, written: Tensor) -> Tensor:
    """Return the mean of a text's states (R, N, C) where written, scaled to one, (R, C)."""
    counted = written[:, :, None].to(hidden.dtype)
    mean = (hidden * counted).sum(1) / counted.sum(1).clamp_min(1)
    return F.rms_norm(mean.float(), mean.shape[-1:])


if __name__ == "__main__":
    draw = torch.Generator().manual_seed(1)
    people, machines = torch.randn(64, 8, generator=draw) + 1, torch.randn(64, 8, generator=draw)
    critic = Critic(8, rate=1e-2, steps=200, seed=1)
    critic.learn(people, machines, draw)
    print(critic.judge(people).mean(), critic.judge(machines).mean())
