"""Distillation: the next token, and beside it what teachers would have said and thought.

    L = (1 - a) CE + a tau^2 D(teachers, student) + b hint + c relation + g own text
        + d cosine of heads - e H

(Hinton et al. 2015; for hints and relations see `hanlin.objectives.hints`, for own text
`hanlin.objectives.on_policy`, for the last two terms `hanlin.objectives.diversity`). a, b, c, g and
the gate of the teacher's states at the input fall with the share of the steps that are done, and
once they are zero no teacher is run any more: a teacher smaller than its student helps early and
holds back late (SALT; Rawat et al. 2024, arXiv:2410.18779). Probabilities are the mean over all
teachers; hints, relations and the input come from the first. Without teachers this is next-token
prediction with the terms of diversity.

    objective = Distillation([teacher], DistilConfig(soft=0.5))
    prepared = objective.prepare(rows, student, generator, progress)   # runs the teachers
    loss = objective.loss(student, prepared)

B batch, T time, C channels, V vocabulary, N = B T tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hanlin.config import DistilConfig
from hanlin.errors import ModelError
from hanlin.models import Decoder
from hanlin.models.taps import Tap, tapped_hidden
from hanlin.objectives.base import Loss, StateDict, head_weight
from hanlin.objectives.cached_targets import CachedTargets
from hanlin.objectives.cross_entropy import fused_cross_entropy, plain_cross_entropy
from hanlin.objectives.diversity import head_cosines
from hanlin.objectives.hints import Bridges, hint_distance, pair_layers, relation_divergence
from hanlin.objectives.next_token import TokenBatch, token_batch
from hanlin.objectives.on_policy import write_on
from hanlin.objectives.soft_targets import (
    Mix,
    Predictions,
    fused_soft_cross_entropy,
    plain_soft_cross_entropy,
)
from hanlin.objectives.targets import Markers
from hanlin.objectives.top_k import TopK

__all__ = ["Distillation", "Lesson"]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A microbatch with what the teachers made of it."""

    text: TokenBatch
    share: float = 0.0
    """What is left of the teachers' weights; 0 where no teacher was run."""
    predictions: Sequence[Predictions] | TopK = ()
    """Each teacher's, or what was kept of them all."""
    streams: Mapping[int, Tensor] = field(default_factory=dict)
    """The first teacher's residual streams (B, T, C), by the student's layer."""
    relations: Tensor | None = None
    """The first teacher's last queries, keys and values."""
    states: Tensor | None = None
    """The first teacher's last states (B, T, C), scaled to a root mean square of one."""
    own: TokenBatch | None = None
    """What the student wrote."""
    judgements: Sequence[Predictions] = ()
    """Each teacher's predictions there."""


class Distillation:
    """Cross-entropy mixed with soft targets, hints, relations, and terms of diversity."""

    def __init__(
        self,
        teachers: Sequence[Decoder],
        config: DistilConfig,
        bridges: Bridges | None = None,
        *,
        markers: Markers | None = None,
        cached: CachedTargets | None = None,
        fused: bool = True,
    ) -> None:
        """Learn from `teachers`, which are never changed; `bridges` learn with the student.

        `markers` name the control tokens after which transformed text is only read. With `cached`,
        the teachers' soft targets are read there, and `teachers` is empty.
        """
        self.teachers = [teacher.eval().requires_grad_(False) for teacher in teachers]
        self.config = config
        self.bridges = bridges
        self.markers = markers
        self.cached = cached
        self.fused = fused

    def prepare(
        self, batch: Tensor, model: nn.Module, generator: torch.Generator, progress: float = 0.0
    ) -> Lesson:
        """Split rows of ids (B, T + 1), and run the teachers on them while they still count."""
        text = token_batch(batch, self.markers)
        share = self.config.share_at(progress)
        if self.cached is not None and share:
            return Lesson(text, share, self.cached.read(batch))
        if not (self.teachers and self.config.teaches and share):
            return Lesson(text)
        student = _decoder(model)
        lesson = self._teach(text, student, share)
        if not self.config.on_policy:
            return lesson
        count = min(self.config.on_policy_tokens, batch.shape[1] - 1)
        own = write_on(student, batch.long(), count, generator)
        with torch.no_grad():
            judgements = [
                _predict(teacher, teacher.hidden(own.inputs)) for teacher in self.teachers
            ]
        return replace(lesson, own=own, judgements=judgements)

    def loss(self, model: nn.Module, prepared: Lesson) -> Loss:
        """Return the summed loss in nats and the number of targets."""
        student, text = _decoder(model), prepared.text
        tap = self._tap(student, prepared)
        hidden = tapped_hidden(student, text.inputs, tap, added=self._input(prepared))
        total, parts = self._predict(student, hidden, prepared)
        for name, (weight, values) in self._terms(student, tap, prepared).items():
            counted = values if text.weights is None else values * text.weights
            total = total + weight * counted.sum()
            parts[name] = counted.sum().detach()
        if prepared.own is not None:
            judged = self._judged(student, prepared, prepared.own)
            total = total + self.config.on_policy * prepared.share * judged
            parts["on_policy"] = judged.detach()
        count = float(text.targets.numel()) if text.weights is None else text.weights.sum()
        return Loss(total, count, parts)

    def state_dict(self) -> StateDict:
        """Return nothing: bridges are saved with the student, and teachers never change."""
        return {}

    def load_state_dict(self, state: StateDict) -> None:
        """Take nothing back."""

    @torch.no_grad()
    def _teach(self, text: TokenBatch, student: Decoder, share: float) -> Lesson:
        first = self.teachers[0]
        pairs = pair_layers(first.config, student.config) if self.config.hint else {}
        last = {first.config.num_layers - 1} if self.config.relation else set()
        tap = Tap(streams=frozenset(pairs.values()), relations=frozenset(last))
        predictions, states = [], None
        for teacher in self.teachers:
            teacher.to(text.inputs.device, student.embedding.weight.dtype)
            heard = tap if teacher is first else Tap()
            hidden = tapped_hidden(teacher, text.inputs, heard)
            if teacher is first and self.config.input:
                states = F.rms_norm(hidden, hidden.shape[-1:])
            predictions.append(_predict(teacher, hidden))
        return Lesson(
            text=text,
            share=share,
            predictions=predictions,
            streams={ours: tap.found["streams"][theirs] for ours, theirs in pairs.items()},
            relations=next(iter(tap.found["relations"].values()), None),
            states=states,
        )

    def _tap(self, student: Decoder, lesson: Lesson) -> Tap:
        layers = student.config.num_layers
        return Tap(
            streams=frozenset(lesson.streams),
            relations=frozenset({layers - 1} if lesson.relations is not None else ()),
            heads=frozenset(range(layers) if self.config.disagreement else ()),
        )

    def _input(self, lesson: Lesson) -> Tensor | None:
        """Return what the gate lets in beside the embedding (B, T, C)."""
        if lesson.states is None or self.bridges is None or self.bridges.input is None:
            return None
        gate = self.config.input * lesson.share
        return gate * self.bridges.input(lesson.states)  # type: ignore[no-any-return]

    def _predict(
        self, student: Decoder, hidden: Tensor, lesson: Lesson
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the part of the loss that is taken from predictions."""
        head, flat = head_weight(student), hidden.flatten(0, 1)  # (V, C), (N, C)
        targets = lesson.text.targets.flatten()
        weights = None if lesson.text.weights is None else lesson.text.weights.flatten()
        config = self.config
        mix = Mix(
            soft=config.soft * lesson.share,
            temperature=config.temperature,
            divergence=config.divergence,
            confidence=config.confidence,
        )
        if not (mix.soft or mix.confidence):
            plain = fused_cross_entropy if self.fused else plain_cross_entropy
            total = plain(flat, head, targets, weights=weights)
            return total, {"cross_entropy": total.detach()}
        mixed = fused_soft_cross_entropy if self.fused else plain_soft_cross_entropy
        loss = mixed(flat, head, targets, lesson.predictions, mix, weights=weights)
        parts = {"cross_entropy": loss.parts[0]}
        if mix.soft:
            parts["soft"] = loss.parts[1]
        if mix.confidence:
            parts["entropy"] = loss.parts[2]
        return loss.total, parts

    def _judged(self, student: Decoder, lesson: Lesson, own: TokenBatch) -> Tensor:
        """Return the divergence on the student's own text, as much as if it were all of the row."""
        assert own.weights is not None, "write_on says which tokens count"
        config, length = self.config, own.targets.shape[1]
        mix = Mix(soft=1.0, temperature=config.temperature, divergence=config.divergence)
        mixed = fused_soft_cross_entropy if self.fused else plain_soft_cross_entropy
        flat, head = student.hidden(own.inputs).flatten(0, 1), head_weight(student)
        targets, weights = own.targets.flatten(), own.weights.flatten()
        loss = mixed(flat, head, targets, lesson.judgements, mix, weights=weights)
        return loss.total * (length / min(config.on_policy_tokens, length))

    def _terms(self, student: Decoder, tap: Tap, lesson: Lesson) -> dict[str, tuple[float, Tensor]]:
        """Return the weight of each term that is taken from inside, and its values (B, T)."""
        config, terms = self.config, {}
        if lesson.streams:
            hints = hint_distance(lesson.streams, tap.found["streams"], self.bridges)
            terms["hint"] = (config.hint * lesson.share, hints)
        if lesson.relations is not None:
            (ours,) = tap.found["relations"].values()
            shapes = self.teachers[0].config, student.config
            relations = relation_divergence(lesson.relations, ours, *shapes)
            terms["relation"] = (config.relation * lesson.share, relations)
        if config.disagreement:
            cosines = head_cosines(tap.found["heads"].values(), student.config.num_heads)
            terms["disagreement"] = (config.disagreement, cosines)
        return terms


def _predict(teacher: Decoder, hidden: Tensor) -> Predictions:
    return Predictions(hidden.flatten(0, 1), head_weight(teacher))


def _decoder(model: nn.Module) -> Decoder:
    if not isinstance(model, Decoder):
        raise ModelError(
            f"Distillation reads the inside of a decoder, and {type(model).__name__} is none. "
            "Train it with next-token prediction."
        )
    return model
