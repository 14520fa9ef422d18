"""Next-token prediction counts every token once, wherever rows are cut."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from hanlin.config import ModelConfig
from hanlin.errors import ModelError
from hanlin.models import Decoder, build_model
from hanlin.objectives import Loss, NextToken
from hanlin.objectives.next_token import IGNORED


def _model(*, tied: bool = True) -> Decoder:
    shape = ModelConfig(
        vocab_size=50,
        hidden_size=16,
        num_heads=2,
        num_layers=1,
        context_length=16,
        tie_embeddings=tied,
    )
    return build_model(shape, seed=1)


def _rows(count: int = 4) -> torch.Tensor:
    return torch.randint(50, (count, 9), generator=torch.Generator().manual_seed(2))


def _loss(model: nn.Module, rows: torch.Tensor, *, fused: bool = True) -> Loss:
    objective = NextToken(fused=fused)
    return objective.loss(model, objective.prepare(rows, model, torch.Generator()))


@pytest.mark.parametrize("tied", [True, False])
def test_the_loss_is_the_sum_of_the_logits_cross_entropy(tied: bool) -> None:
    model, rows = _model(tied=tied), _rows()
    loss = _loss(model, rows)
    logits = model(rows[:, :-1]).flatten(0, 1)
    expected = nn.functional.cross_entropy(logits, rows[:, 1:].flatten(), reduction="sum")
    torch.testing.assert_close(loss.sum, expected)
    assert loss.weight == 32


def test_an_untrained_model_knows_nothing() -> None:
    loss = _loss(_model(), _rows(8))
    assert loss.sum.item() / float(loss.weight) == pytest.approx(math.log(50), rel=0.05)


def test_the_sums_of_two_halves_are_the_sum_of_the_whole() -> None:
    model, rows = _model(), _rows()
    whole, halves = _loss(model, rows), [_loss(model, half) for half in rows.split(2)]
    torch.testing.assert_close(whole.sum, halves[0].sum + halves[1].sum)
    assert whole.weight == sum(half.weight for half in halves)


@pytest.mark.parametrize("fused", [True, False])
def test_ignored_tokens_count_for_nothing(fused: bool) -> None:
    model, rows = _model(), _rows(1)
    padded = torch.cat((rows, torch.full((1, 4), IGNORED)), dim=1)
    long, short = _loss(model, padded, fused=fused), _loss(model, rows, fused=fused)
    torch.testing.assert_close(long.sum, short.sum)
    assert float(long.weight) == float(short.weight) == 8


def test_a_model_without_a_head_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match="Sequential has no `hidden`"):
        _loss(nn.Sequential(), _rows())


def test_it_remembers_nothing() -> None:
    objective = NextToken()
    objective.load_state_dict(objective.state_dict())
    assert objective.state_dict() == {}
