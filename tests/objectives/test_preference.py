"""DPO, IPO and SimPO against the plain formulas, and where their gradients point."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch

from hanlin.config import ModelConfig, PreferenceConfig
from hanlin.data import PreferenceRows, hide_tokens
from hanlin.models import Decoder, build_model
from hanlin.objectives import Loss, Preference

PAIRS = [
    (([0, 10, 11, 12, 13, 1], 3), ([0, 10, 11, 14, 1], 3)),
    (([0, 20, 21, 1], 2), ([0, 20, 22, 23, 24, 25, 1], 2)),
]
"""Ids of the preferred and the rejected example, each with the length of its prompt."""


def noisy(seed: int) -> Decoder:
    shape = ModelConfig(vocab_size=32, hidden_size=16, num_heads=2, num_layers=2, context_length=16)
    made = build_model(shape, seed=1)
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.3, generator=chance)
    return made


@pytest.fixture
def model() -> Decoder:
    return noisy(1)


@pytest.fixture
def reference() -> Decoder:
    return noisy(2)


def batch() -> torch.Tensor:
    def numbers(example: tuple[list[int], int]) -> np.ndarray:
        ids, start = example
        return hide_tokens(ids, [place >= start for place in range(len(ids))])

    rows = PreferenceRows.pack([(numbers(a), numbers(b)) for a, b in PAIRS])
    return torch.from_numpy(np.stack([rows.row(n, 0) for n in range(rows.num_rows)]))


def plain_score(model: Decoder, ids: list[int], start: int) -> float:
    """Return ln p of a reply, token by token."""
    with torch.no_grad():
        logprobs = model(torch.tensor([ids[:-1]]))[0].log_softmax(-1)
    return sum(float(logprobs[place - 1, ids[place]]) for place in range(start, len(ids)))


def loss_of(
    model: Decoder, reference: Decoder | None, rows: torch.Tensor, **fields: object
) -> Loss:
    objective = Preference(reference, PreferenceConfig(path="x", **fields))
    return objective.loss(model, objective.prepare(rows, model, torch.Generator()))


def margins(model: Decoder, reference: Decoder | None) -> list[float]:
    found = []
    for (better, start), (worse, other) in PAIRS:
        if reference is None:
            ahead = plain_score(model, better, start) / (len(better) - start)
            behind = plain_score(model, worse, other) / (len(worse) - other)
        else:
            ahead = plain_score(model, better, start) - plain_score(reference, better, start)
            behind = plain_score(model, worse, other) - plain_score(reference, worse, other)
        found.append(ahead - behind)
    return found


def test_dpo_is_the_plain_formula(model: Decoder, reference: Decoder) -> None:
    loss = loss_of(model, reference, batch(), beta=0.3)
    expected = [math.log1p(math.exp(-0.3 * margin)) for margin in margins(model, reference)]
    assert float(loss.sum.detach()) == pytest.approx(sum(expected), rel=1e-5)
    assert loss.weight == 2
    assert float(loss.parts["margin"]) == pytest.approx(sum(margins(model, reference)), rel=1e-4)
    wins = sum(margin > 0 for margin in margins(model, reference))
    assert float(loss.parts["accuracy"]) == wins


def test_ipo_is_the_plain_formula(model: Decoder, reference: Decoder) -> None:
    loss = loss_of(model, reference, batch(), loss="ipo")
    expected = sum((margin - 5) ** 2 for margin in margins(model, reference))
    assert float(loss.sum.detach()) == pytest.approx(expected, rel=1e-5)


def test_simpo_is_the_plain_formula_and_needs_no_reference(model: Decoder) -> None:
    loss = loss_of(model, None, batch(), loss="simpo", target_margin=0.7)
    expected = [math.log1p(math.exp(0.7 - 2 * margin)) for margin in margins(model, None)]
    assert float(loss.sum.detach()) == pytest.approx(sum(expected), rel=1e-5)


def test_the_anchor_adds_the_cross_entropy_of_what_is_preferred(
    model: Decoder, reference: Decoder
) -> None:
    plain = float(loss_of(model, reference, batch()).sum.detach())
    anchored = float(loss_of(model, reference, batch(), anchor=0.5).sum.detach())
    by_token = sum(plain_score(model, ids, start) / (len(ids) - start) for (ids, start), _ in PAIRS)
    assert anchored - plain == pytest.approx(-0.5 * by_token, rel=1e-4)


def test_at_the_start_every_pair_is_a_tie(model: Decoder) -> None:
    loss = loss_of(model, copy.deepcopy(model), batch())
    assert float(loss.sum.detach()) == pytest.approx(2 * math.log(2), rel=1e-6)
    assert float(loss.parts["accuracy"]) == 0


@pytest.mark.parametrize("kind", ["dpo", "ipo", "simpo"])
def test_a_step_widens_the_margin_and_leaves_the_reference(model: Decoder, kind: str) -> None:
    reference = None if kind == "simpo" else copy.deepcopy(model)
    start = copy.deepcopy(model)
    before = margins(model, reference)
    loss_of(model, reference, batch(), loss=kind).sum.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= 0.01 * parameter.grad
    assert sum(margins(model, reference)) > sum(before)
    if reference is not None:
        assert all(map(torch.equal, reference.parameters(), start.parameters()))


def test_only_the_reply_counts_and_padding_changes_nothing(
    model: Decoder, reference: Decoder
) -> None:
    rows = batch()
    half = rows.shape[1] // 2
    wider = torch.full((len(rows), 2 * half + 8), -1, dtype=rows.dtype)
    wider[:, :half], wider[:, half + 4 : 2 * half + 4] = rows[:, :half], rows[:, half:]
    plain, padded = (loss_of(model, reference, each).sum for each in (rows, wider))
    assert torch.equal(plain, padded)
    parts = [loss_of(model, reference, rows[n : n + 1]).sum.detach() for n in (0, 1)]
    assert float(sum(parts)) == pytest.approx(float(plain.detach()), rel=1e-6)
