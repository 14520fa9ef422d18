"""Only answers are learnt, and no example reads its neighbour in the row."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hanlin.config import ModelConfig
from hanlin.data import ExampleRows, hide_tokens
from hanlin.models import Decoder, build_model
from hanlin.objectives import Answers, NextToken
from hanlin.objectives.cross_entropy import plain_cross_entropy

FIRST = hide_tokens([0, 10, 11, 12, 13, 0], [False] * 3 + [True] * 3)
SECOND = hide_tokens([0, 20, 21, 22, 0], [False] * 2 + [True] * 3)


@pytest.fixture
def model() -> Decoder:
    shape = ModelConfig(vocab_size=32, hidden_size=16, num_heads=2, num_layers=2, context_length=16)
    made = build_model(shape, seed=1)
    chance = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.3, generator=chance)
    return made


def loss_of(model: Decoder, *examples: np.ndarray, fused: bool = True) -> tuple[float, float]:
    rows = ExampleRows.pack(examples, row_length=15)
    batch = torch.from_numpy(np.stack([rows.row(n, 0) for n in range(rows.num_rows)]))
    objective = Answers(eot_id=0, fused=fused)
    found = objective.loss(model, objective.prepare(batch, model, torch.Generator()))
    return float(found.sum.detach()), float(found.weight)


def test_the_loss_is_that_of_the_answer_after_its_prompt(model: Decoder) -> None:
    ids = torch.tensor([[0, 10, 11, 12, 13, 0]])
    hidden = model.hidden(ids[:, :-1])[0, 2:]
    expected = plain_cross_entropy(hidden, model.embedding.weight, ids[0, 3:])
    total, weight = loss_of(model, FIRST)
    assert weight == 3
    assert total == pytest.approx(float(expected.detach()), rel=1e-5)


def test_a_packed_example_is_answered_as_it_would_be_alone(model: Decoder) -> None:
    alone = [loss_of(model, example) for example in (FIRST, SECOND)]
    together = loss_of(model, FIRST, SECOND)
    assert together[1] == alone[0][1] + alone[1][1]
    assert together[0] == pytest.approx(alone[0][0] + alone[1][0], rel=1e-5)
    other = hide_tokens([0, 25, 26, 27, 28, 0], [False] * 3 + [True] * 3)
    change = loss_of(model, other, SECOND)[0] - loss_of(model, other)[0]
    assert change == pytest.approx(alone[1][0], rel=1e-5)


def test_the_fused_loss_is_the_plain_one(model: Decoder) -> None:
    plain, _ = loss_of(model, FIRST, SECOND, fused=False)
    assert loss_of(model, FIRST, SECOND)[0] == pytest.approx(plain, rel=1e-5)


def test_a_row_of_plain_text_is_learnt_as_next_token_prediction_does(model: Decoder) -> None:
    row = torch.tensor([[0, 10, 11, 12, 13, 14, 15, -1, -1]], dtype=torch.int32)
    answers, plain = Answers(eot_id=0), NextToken()
    ours = answers.loss(model, answers.prepare(row, model, torch.Generator()))
    theirs = plain.loss(model, plain.prepare(row, model, torch.Generator()))
    assert float(ours.weight) == float(theirs.weight) == 6
    assert float(ours.sum.detach()) == pytest.approx(float(theirs.sum.detach()), rel=1e-5)


def test_no_gradient_comes_from_a_prompt(model: Decoder) -> None:
    unlearnt = hide_tokens([0, 10, 11, 12], [False] * 4)
    objective = Answers(eot_id=0)
    prepared = objective.prepare(torch.from_numpy(unlearnt)[None], model, torch.Generator())
    found = objective.loss(model, prepared)
    assert float(found.sum.detach()) == float(found.weight) == 0
