"""The loss where an attack on the current model has led: adversarial training.

Moves of the embeddings (`hanlin.attacks.embedding`), with L(d) the loss at the move d, w `weight`:

    fgsm, fgm   (1 - w) L(0) + w L(d1)          d1: one whole step uphill from 0
    pgd         (1 - w) L(0) + w L(dK)          dK: K steps uphill, each put back into the ball
    freelb      (1 - w) L(0) + w/K sum L(dk)    d1 random, each next one step uphill of the last
                                                (Zhu et al. 2020, arXiv:1909.11764, has w = 1)
    noise       (1 - w) L(0) + w L(d)           d random, as long as an attack: the control
    virtual     L(0) + w KL(p(0) || p(d))       d: where p changes most, no label needed
                                                (Miyato et al. 2018, arXiv:1704.03976)

One pass gives both the gradient that is learnt from and the one that leads uphill, so that fgm
costs two passes and freelb K. All passes of a step have the same dropout. Only what is given to
read moves, never the answer; rows of plain text stay as they are. Attacks on the text itself are
`hanlin.objectives.rewriting`.

    objective = Adversarial(Answers(eot_id=0), AdversarialConfig(method="fgm"))

B batch, T time, C channels, N targets, V vocabulary.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn

from hanlin.attacks import Ball, embedding_of, moved
from hanlin.config import AdversarialConfig
from hanlin.objectives.base import Attackable, Loss, Scores, StateDict

__all__ = ["Adversarial", "AdversarialBatch", "Rewriting"]

P = TypeVar("P")
Moves = Sequence[Tensor]
"""A move (B, T, C) of the embeddings in each pass through them."""
_PROBE = 0.1
"""`virtual`: how far out, over the radius, the first look is taken; nearer, rounding decides."""


class Rewriting(Protocol):
    """What rewrites the text of some examples before they are learnt."""

    def rewrite(self, batch: Tensor, model: nn.Module, generator: torch.Generator) -> Tensor:
        """Return rows (B', T + 1) that hold the same examples, some of them rewritten."""


@dataclass(frozen=True, slots=True)
class AdversarialBatch(Generic[P]):
    """A microbatch, and the balls that its embeddings may move in, one a pass."""

    inner: P
    balls: Sequence[Ball]
    start: Moves
    """The random moves that the method begins with."""


class _Point(NamedTuple):
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


class _Gathered:
    """What the points of a walk add up to."""

    def __init__(self, weights: Sequence[Tensor]) -> None:
        self.weights = weights
        self._gradients: list[Tensor | None] = [None] * len(weights)
        self._clean: list[Loss] = []
        self._attacked: list[tuple[float, Tensor]] = []
        self._counted: Tensor | float = 0.0

    def add(self, loss: Loss, gradients: Sequence[Tensor | None], point: _Point) -> None:
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


class Adversarial(Generic[P]):
    """Another objective, under attack."""

    def __init__(
        self, inner: Attackable[P], config: AdversarialConfig, rewriting: Rewriting | None = None
    ) -> None:
        """Attack `inner` as `config` says; `rewriting` attacks the text."""
        self._inner, self._config, self._rewriting = inner, config, rewriting

    def prepare(
        self, batch: Tensor, model: nn.Module, generator: torch.Generator, progress: float = 0.0
    ) -> AdversarialBatch[P]:
        """Rewrite some examples, and draw where a move of the embeddings begins."""
        if self._rewriting is not None:
            batch = self._rewriting.rewrite(batch, model, generator)
        inner = self._inner.prepare(batch, model, generator, progress)
        config = self._config
        if config.method == "none":
            return AdversarialBatch(inner, (), ())
        embedding = embedding_of(model)
        with torch.no_grad():
            balls = [
                Ball.around(embedding(one.ids), one.groups, config.resolved_norm, config.epsilon)
                for one in self._inner.movable(inner)
            ]
        start: Moves = ()
        if config.method == "freelb":
            start = [ball.inside(generator) for ball in balls]
        elif config.method in ("noise", "virtual"):
            start = [ball.edge(generator) for ball in balls]
        return AdversarialBatch(inner, balls, start)

    def loss(self, model: nn.Module, prepared: AdversarialBatch[P]) -> Loss:
        """Return the loss where the attack has led; its parts are those clean and attacked."""
        if self._config.method == "none":
            return self._inner.loss(model, prepared.inner)
        if self._config.method == "virtual":
            return self._virtual(model, prepared)
        return self._walk(model, prepared)

    def state_dict(self) -> StateDict:
        """Return the state of the objective under attack; the attack remembers nothing."""
        return self._inner.state_dict()

    def load_state_dict(self, state: StateDict) -> None:
        """Take back what `state_dict` gave."""
        self._inner.load_state_dict(state)

    def _walk(self, model: nn.Module, prepared: AdversarialBatch[P]) -> Loss:
        """Take the loss at each point, gather its gradients, and hand them out in backward."""
        points = _points(self._config)
        gathered = _Gathered([weight for weight in model.parameters() if weight.requires_grad])
        moves: Moves = [ball.zero() for ball in prepared.balls]
        slopes: Moves = ()
        for number, point in enumerate(points):
            if point.climb is not None:
                moves = _climb(prepared.balls, moves, slopes, point.climb)
            elif point.random:
                moves = prepared.start
            last = number == len(points) - 1
            leads_on = not last and points[number + 1].climb is not None
            weights = gathered.weights if point.weight else ()
            with contextlib.nullcontext() if last else _same_dropout(model):
                loss, slopes, gradients = _visit(
                    self._inner, model, prepared.inner, moves, leads_on, weights
                )
            gathered.add(loss, gradients, point)
        return gathered.as_loss()

    def _virtual(self, model: nn.Module, prepared: AdversarialBatch[P]) -> Loss:
        """Return the loss, and how far the prediction can be turned nearby."""
        inner, balls = prepared.inner, prepared.balls
        with _same_dropout(model):
            clean = self._inner.loss(model, inner)
        with _same_dropout(model), torch.no_grad():
            target = self._inner.scores(model, inner)
        probe = [(move * _PROBE).requires_grad_() for move in prepared.start]
        with _same_dropout(model), moved(model, probe):
            near = _divergence(target, self._inner.scores(model, inner))
        slopes = _slopes(near, probe)
        with moved(model, _climb(balls, [ball.zero() for ball in balls], slopes, 1.0)):
            turned = _divergence(target, self._inner.scores(model, inner))
        parts = {**clean.parts, "clean": clean.sum.detach(), "divergence": turned.detach()}
        return Loss(clean.sum + self._config.weight * turned, clean.weight, parts)


def _points(config: AdversarialConfig) -> Sequence[_Point]:
    """Return the moves at which a method takes the loss, in order."""
    weight, steps = config.weight, config.steps
    clean = _Point(1 - weight)
    begin = [clean] if weight < 1 else []
    if config.method == "noise":
        return [*begin, _Point(weight, random=True)]
    if config.method == "freelb":
        part = weight / steps
        climbing = [_Point(part, climb=config.step_size)] * (steps - 1)
        return [*begin, _Point(part, random=True), *climbing]
    if config.method == "pgd":
        looks = [_Point(0.0, climb=config.step_size)] * (steps - 1)
        return [clean, *looks, _Point(weight, climb=config.step_size)]
    return [clean, _Point(weight, climb=1.0)]


def _visit(
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


def _slopes(value: Tensor, moves: Moves) -> Moves:
    """Return the gradients of a value by moves, 0 by those that it does not hang on."""
    found = torch.autograd.grad(value, list(moves), allow_unused=True)
    return [
        torch.zeros_like(move) if slope is None else slope
        for move, slope in zip(moves, found, strict=True)
    ]


def _climb(balls: Sequence[Ball], moves: Moves, slopes: Moves, step: float) -> Moves:
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


def _divergence(targets: Sequence[Scores], others: Sequence[Scores]) -> Tensor:
    """Return KL(target || other) in nats, each times its weight, summed."""
    parts = [
        (target.weights[:, None] * target.log_probs.exp() * (target.log_probs - other.log_probs))
        .sum()
        .reshape(1)
        for target, other in zip(targets, others, strict=True)
    ]
    return torch.cat(parts).sum()


@contextlib.contextmanager
def _same_dropout(model: nn.Module) -> Iterator[None]:
    """Put the generators that dropout draws from back at the end, for the next pass."""
    device = next(model.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield
