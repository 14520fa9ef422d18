"""Moves stay in their ball, and only what may move does."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from hanlin.attacks import Ball, embedding_of, moved
from hanlin.config import AttackNorm, ModelConfig
from hanlin.errors import ModelError
from hanlin.models import build_model

GROUPS = torch.tensor([[-1, 0, 0, -1, 1, 1, 1], [-1, 0, 0, 0, 0, -1, -1]])


def chance(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def embedded() -> Tensor:
    return torch.randn(2, 7, 5, generator=chance())


def sizes(move: Tensor, norm: AttackNorm) -> dict[tuple[int, int], float]:
    """Return the length of each example's move in a norm."""
    order = 2 if norm == "l2" else math.inf
    return {
        (row, group): float(move[row][GROUPS[row] == group].flatten().norm(order))
        for row, group in ((0, 0), (0, 1), (1, 0))
    }


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_every_move_stays_in_its_ball(embedded: Tensor, norm: AttackNorm) -> None:
    ball = Ball.around(embedded, GROUPS, norm, 0.1)
    whole = {
        key: 0.1
        * size
        / (math.sqrt(5 * int((GROUPS[key[0]] == key[1]).sum())) if norm != "l2" else 1)
        for key, size in sizes(embedded, "l2").items()
    }
    far = torch.randn(2, 7, 5, generator=chance(2)) * 100
    moves = [ball.project(far), ball.edge(chance()), ball.inside(chance())]
    moves += [ball.climb(ball.inside(chance()), far, share) for share in (0.3, 1.0, 5.0)]
    for move in moves:
        for key, size in sizes(move, norm).items():
            assert size <= whole[key] * (1 + 1e-5)
        assert not move[GROUPS < 0].any()
    for move in (moves[0], moves[1], ball.climb(ball.zero(), far, 1.0)):
        for key, size in sizes(move, norm).items():
            assert size == pytest.approx(whole[key], rel=1e-4)


def test_in_either_norm_an_attack_is_as_long_as_the_noise_beside_it(embedded: Tensor) -> None:
    slope = torch.randn(2, 7, 5, generator=chance(3))
    for norm in ("l2", "linf"):
        ball = Ball.around(embedded, GROUPS, norm, 0.1)  # type: ignore[arg-type]
        climbed = sizes(ball.climb(ball.zero(), slope, 1.0), "l2")
        assert climbed == pytest.approx(sizes(ball.edge(chance()), "l2"), rel=1e-4)
        assert climbed == pytest.approx(
            {key: 0.1 * size for key, size in sizes(embedded, "l2").items()}, rel=1e-4
        )


def test_no_slope_leads_nowhere(embedded: Tensor) -> None:
    ball = Ball.around(embedded, GROUPS, "l2", 0.1)
    assert not ball.climb(ball.zero(), torch.zeros(2, 7, 5), 1.0).any()


def test_a_move_is_added_to_the_embedding_and_taken_away_again() -> None:
    shape = ModelConfig(vocab_size=32, hidden_size=16, num_heads=2, num_layers=1, context_length=16)
    model = build_model(shape, seed=1)
    ids = torch.arange(7)[None]
    before = model(ids)
    move = torch.randn(1, 7, 16, generator=chance()) * 0.1
    with moved(model, [move]):
        inside = model.hidden(ids)
    assert torch.equal(inside, model.hidden(ids, embeddings=model.embedding(ids) + move))
    assert torch.equal(model(ids), before)


def test_a_compiled_pass_is_left_out_inside_and_put_back() -> None:
    shape = ModelConfig(vocab_size=32, hidden_size=16, num_heads=2, num_layers=1, context_length=16)
    model = build_model(shape, seed=1)

    def compiled(*arguments: object) -> Tensor:
        raise AssertionError("hooks that come later are not seen by it")

    model.__dict__["hidden"] = compiled
    with moved(model, [torch.zeros(1, 7, 16)]):
        model.hidden(torch.arange(7)[None])
    assert model.__dict__["hidden"] is compiled


def test_a_model_without_embeddings_is_named() -> None:
    with pytest.raises(ModelError, match="Linear has no `embedding`"):
        embedding_of(nn.Linear(2, 2))
