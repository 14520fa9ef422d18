"""Heads that differ, and less confidence, for models with or without a teacher."""

from __future__ import annotations

import math

import pytest
import torch

from hanlin.config import DistilConfig, ModelConfig
from hanlin.models import Decoder, build_model, resolve_model
from hanlin.models.taps import Tap, tapped_hidden
from hanlin.objectives import Distillation, Loss, NextToken
from hanlin.objectives.diversity import head_cosines, head_cosines_reference


def _model(num_heads: int = 4) -> Decoder:
    shape = ModelConfig(
        hidden_size=16, num_heads=num_heads, num_layers=2, context_length=16, zero_init=False
    )
    return build_model(resolve_model(shape, 64), seed=1)


def _rows() -> torch.Tensor:
    return torch.randint(64, (4, 13), generator=torch.Generator().manual_seed(2))


def _loss(model: Decoder, config: DistilConfig) -> Loss:
    objective = Distillation([], config)
    return objective.loss(model, objective.prepare(_rows(), model, torch.Generator(), 0.0))


@pytest.mark.parametrize("num_heads", [1, 2, 4, 8])
def test_the_mean_cosine_equals_that_over_pairs(num_heads):
    generator = torch.Generator().manual_seed(0)
    layers = [torch.randn(2, 5, 32, generator=generator) for _ in range(3)]
    ours, pairs = head_cosines(layers, num_heads), head_cosines_reference(layers, num_heads)
    torch.testing.assert_close(ours, pairs, atol=1e-6, rtol=1e-5)


def test_heads_that_say_the_same_have_a_cosine_of_one_and_silent_ones_none():
    same = torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(0)).repeat(1, 1, 4)
    torch.testing.assert_close(head_cosines([same], 4), torch.ones(1, 3))
    assert torch.equal(head_cosines([torch.zeros(1, 3, 16)], 4), torch.zeros(1, 3))


def test_without_terms_and_teachers_it_is_next_token_prediction():
    model = _model()
    plain = NextToken().loss(model, NextToken().prepare(_rows(), model, torch.Generator()))
    loss = _loss(model, DistilConfig())
    assert torch.equal(loss.sum, plain.sum)
    assert loss.weight == plain.weight


def _mean_cosine(model: Decoder) -> float:
    tap = Tap(heads=frozenset({0, 1}))
    with torch.no_grad():
        tapped_hidden(model, _rows()[:, :-1], tap)
    return float(head_cosines(tap.found["heads"].values(), 4).mean())


def _trained(config: DistilConfig, steps: int = 25) -> Decoder:
    model = _model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-2)
    for _ in range(steps):
        loss = _loss(model, config)
        optimizer.zero_grad()
        (loss.sum / loss.weight).backward()
        optimizer.step()
    return model


def test_disagreement_parts_the_heads():
    apart = _mean_cosine(_trained(DistilConfig(disagreement=1.0)))
    assert apart < _mean_cosine(_trained(DistilConfig())) - 0.05


def test_the_confidence_penalty_keeps_entropy_up():
    entropies = []
    for weight in (0.0, 0.5):
        model = _trained(DistilConfig(confidence=weight))
        with torch.no_grad():
            entropies.append(float(_loss(model, DistilConfig(confidence=1.0)).parts["entropy"]))
    assert entropies[1] > entropies[0] * 1.02


def test_entropy_is_that_of_the_predictions():
    model = _model()
    loss = _loss(model, DistilConfig(confidence=0.1))
    log_q = model(_rows()[:, :-1]).log_softmax(-1)
    expected = -(log_q.exp() * log_q).sum()
    torch.testing.assert_close(loss.parts["entropy"], expected.detach(), rtol=1e-4, atol=1e-3)
    assert float(loss.parts["entropy"]) / 48 < math.log(64)
