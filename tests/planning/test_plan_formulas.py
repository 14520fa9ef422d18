from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.config import ModelConfig, OptimizerConfig, TrainingConfig
from hanlin.errors import UserError
from hanlin.models import count_parameters, resolve_model
from hanlin.planning.formulas import (
    activation_bytes,
    flops_formula,
    memory_parts,
)
from hanlin.planning.prices import Prices
from hanlin.planning.units import count, duration, power, size

TINY = resolve_model(ModelConfig(hidden_size=32, num_heads=2, num_layers=2), 512)


def test_the_formula_names_every_weight_that_multiplies() -> None:
    parameters = count_parameters(TINY)
    weights = parameters.non_embedding + TINY.vocab_size * TINY.hidden_size
    assert f"6 × {weights:,} weights" in flops_formula(TINY)


def test_adamw_keeps_two_moments_and_muon_one_for_matrices() -> None:
    parameters = count_parameters(TINY)
    matrices = parameters.attention + parameters.mlp
    sizes = {
        kind: memory_parts(
            TINY,
            TrainingConfig(steps=1, optimizer=OptimizerConfig(kind=kind)),
            microbatch=1,
            bf16=False,
        )["optimiser"]
        for kind in ("adamw", "muon")
    }
    assert sizes["adamw"] == 8 * parameters.total
    assert sizes["adamw"] - sizes["muon"] == 4 * matrices


def test_bf16_keeps_a_copy_of_the_weights_and_halves_activations() -> None:
    fp32, bf16 = (
        memory_parts(TINY, TrainingConfig(steps=1), microbatch=4, bf16=bf16)
        for bf16 in (False, True)
    )
    assert bf16["weights"] == 1.5 * fp32["weights"]
    assert bf16["activations"] == 0.5 * fp32["activations"]


@settings(deadline=None)
@given(st.integers(1, 64))
def test_activations_grow_with_the_microbatch(rows: int) -> None:
    one = activation_bytes(TINY, 1, bf16=False)
    assert activation_bytes(TINY, rows, bf16=False) == pytest.approx(rows * one)


def test_money_is_hours_times_price_plus_energy() -> None:
    prices = Prices(
        per_hour=2.0, kilowatts=0.4, per_kilowatt_hour=0.25, currency="EUR", date="2026-09-01"
    )
    assert prices.amount(7200) == pytest.approx(2 * 2.0 + 2 * 0.4 * 0.25)
    assert prices.describe(7200) == (
        "4.20 EUR (2 an hour + 0.4 kW at 0.25 a kilowatt-hour, prices of 2026-09-01)"
    )


def test_without_prices_nothing_is_said_of_money() -> None:
    assert not Prices().given
    assert not Prices(kilowatts=0.5).given


def test_a_negative_price_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="`per_hour` is -1"):
        Prices(per_hour=-1)


@settings(deadline=None)
@given(st.floats(0, 1e15))
def test_every_amount_can_be_said(value: float) -> None:
    for text in (count(value), size(value), duration(value), power(value)):
        assert text
        assert "nan" not in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.7, "60 s"), (61, "1 min 1 s"), (3599.9, "1 h"), (86_400 * 3, "3 days")],
)
def test_durations_are_said_in_their_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text
