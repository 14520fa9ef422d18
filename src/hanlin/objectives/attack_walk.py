"""The points that an attack on embeddings takes the loss at, and what is gathered on the way.

    look at the loss at a move, and at its gradients by the weights and by the move
    climb from there to the next move (`Ball.climb`); add what the weights have learnt

The losses of a walk hang on weights whose gradients are known by then, so that backward hands them
out and passes through the model no further time.

B batch, T time, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from hanlin.attacks import Ball, moved
from hanlin.config import AdversarialConfig
from hanlin.objectives.base import Attackable, Loss

__all__ = ["Gathered", "Moves", "Point", "climb", "list_points", "slopes_of", "visit"]

P = TypeVar("P")
Moves = Sequence[Tensor]
"""A move (B, T, C) of the embeddings in each pass through them."""


class Point(NamedTuple):
    """A move at which the loss is taken."""

    weight: float
    """The share of that loss; 0 only looks which way is uphill."""
    climb: float | None = None
    """The step from the point before over the radius; None begins anew."""
    random: bool = False
    """Whether it begins at the random move and not at none."""

    @property
    def clean(self) -> bool:
        """Whether nothing is moved."""
        return self.climb is None and not self.random


class Gathered:
    """What the points of a walk add up to."""

    def __init__(self, weights: Sequence[Tensor]) -> None:
        """Gather gradients by these weights."""
        self.weights = weights
        self._gradients: list[Tensor | None] = [None] * len(weights)
        self._clean: list[Loss] = []
        self._attacked: list[tuple[float, Tensor]] = []
        self._counted: Tensor | float = 0.0

    def add(self, loss: Loss, gradients: Sequence[Tensor | None], point: Point) -> None:
        """Take one point's loss with the share that it has."""
        self._counted = loss.weight
        for place, gradient in enumerate(gradients):
            if gradient is not None:
                before, part = self._gradients[place], gradient * point.weight
                self._gradients[place] = part if before is None else before + part
        if point.clean:
            self._clean.append(loss)
        elif point.weight:
            self._attacked.append((point.weight, loss.sum))

    def as_loss(self) -> Loss:
        """Return the sum, whose backward hands out what was gathered."""
        share = sum(weight for weight, _ in self._attacked)
        attacked = torch.stack([weight * loss for weight, loss in self._attacked]).sum()
        clean = (1 - share) * self._clean[0].sum if self._clean else 0.0
        total: Tensor = _Known.apply(  # type: ignore[no-untyped-call]
            attacked + clean, self._gradients, *self.weights
        )
        parts = {"attacked": attacked / share}
        if self._clean:
            parts |= {**self._clean[0].parts, "clean": self._clean[0].sum}
        return Loss(total, self._counted, parts)


def list_points(config: AdversarialConfig) -> Sequence[Point]:
    """Return the moves at which a method takes the loss, in order."""
    weight, steps = config.weight, config.steps
    clean = Point(1 - weight)
    begin = [clean] if weight < 1 else []
    if config.method == "noise":
        return [*begin, Point(weight, random=True)]
    if config.method == "freelb":
        part = weight / steps
        climbing = [Point(part, climb=config.step_size)] * (steps - 1)
        return [*begin, Point(part, random=True), *climbing]
    if config.method == "pgd":
        looks = [Point(0.0, climb=config.step_size)] * (steps - 1)
        return [clean, *looks, Point(weight, climb=config.step_size)]
    return [clean, Point(weight, climb=1.0)]


def visit(
    objective: Attackable[P],
    model: nn.Module,
    prepared: P,
    moves: Moves,
    leads_on: bool,
    weights: Sequence[Tensor],
) -> tuple[Loss, Moves, Sequence[Tensor | None]]:
    """Return the loss at some moves, its gradients by them if asked for, and by the weights."""
    moves = [move.detach().requires_grad_(leads_on) for move in moves]
    with moved(model, moves):
        found = objective.loss(model, prepared)
    wanted = moves if leads_on else []
    gradients = torch.autograd.grad(found.sum, [*wanted, *weights], allow_unused=True)
    slopes = [
        torch.zeros_like(move) if slope is None else slope
        for move, slope in zip(wanted, gradients, strict=False)
    ]
    return Loss(found.sum.detach(), found.weight, found.parts), slopes, gradients[len(wanted) :]


def slopes_of(value: Tensor, moves: Moves) -> Moves:
    """Return the gradients of a value by moves, 0 by those that it does not hang on."""
    found = torch.autograd.grad(value, list(moves), allow_unused=True)
    return [
        torch.zeros_like(move) if slope is None else slope
        for move, slope in zip(moves, found, strict=True)
    ]


def climb(balls: Sequence[Ball], moves: Moves, slopes: Moves, step: float) -> Moves:
    """Return the moves one step further uphill."""
    together = zip(balls, moves, slopes, strict=True)
    return [ball.climb(move, slope, step) for ball, move, slope in together]


class _Known(torch.autograd.Function):
    """A loss whose gradient by each weight is known already."""

    @staticmethod
    def forward(
        ctx: Any, loss: Tensor, gradients: Sequence[Tensor | None], *weights: Tensor
    ) -> Tensor:
        ctx.gradients = gradients
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        given = (None if known is None else known * grad for known in ctx.gradients)
        return None, None, *given
