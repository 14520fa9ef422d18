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
`hanlin.objectives.rewriting`; the walk from point to point is
`hanlin.objectives.attack_walk`.

    objective = Adversarial(Answers(eot_id=0), AdversarialConfig(method="fgm"))

B batch, T time, C channels, N targets, V vocabulary.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from hanlin.attacks import Ball, embedding_of, moved
from hanlin.config import AdversarialConfig
from hanlin.objectives.attack_walk import Gathered, Moves, climb, list_points, slopes_of, visit
from hanlin.objectives.base import Attackable, Loss, Scores, StateDict

__all__ = ["Adversarial", "AdversarialBatch", "Rewriting"]

P = TypeVar("P")
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
        points = list_points(self._config)
        gathered = Gathered([weight for weight in model.parameters() if weight.requires_grad])
        moves: Moves = [ball.zero() for ball in prepared.balls]
        slopes: Moves = ()
        for number, point in enumerate(points):
            if point.climb is not None:
                moves = climb(prepared.balls, moves, slopes, point.climb)
            elif point.random:
                moves = prepared.start
            last = number == len(points) - 1
            leads_on = not last and points[number + 1].climb is not None
            weights = gathered.weights if point.weight else ()
            with contextlib.nullcontext() if last else _same_dropout(model):
                loss, slopes, gradients = visit(
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
        slopes = slopes_of(near, probe)
        with moved(model, climb(balls, [ball.zero() for ball in balls], slopes, 1.0)):
            turned = _divergence(target, self._inner.scores(model, inner))
        parts = {**clean.parts, "clean": clean.sum.detach(), "divergence": turned.detach()}
        return Loss(clean.sum + self._config.weight * turned, clean.weight, parts)


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
