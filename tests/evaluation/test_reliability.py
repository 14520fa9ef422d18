"""Calibration: the temperature that is best, and an error that is counted by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from hanlin.evaluation import (
    calibration_error,
    fit_temperature,
    measure_calibration,
    reliability,
)


def drawn(scale: float, number: int = 4000) -> tuple[Tensor, Tensor]:
    """Return logits that are `scale` times too bold, and labels drawn from what is true."""
    generator = torch.Generator().manual_seed(1)
    true = 2 * torch.randn(number, 3, generator=generator)
    labels = torch.multinomial(true.softmax(-1), 1, generator=generator).squeeze(1)
    return scale * true, labels


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_hidden_is_found(scale: float) -> None:
    assert fit_temperature(*drawn(scale)) == pytest.approx(scale, rel=0.06)


@pytest.mark.parametrize("scale", [0.4, 3.0])
def test_no_other_temperature_is_likelier_and_the_error_falls(scale: float) -> None:
    logits, labels = drawn(scale)
    best = fit_temperature(logits, labels)

    def loss(temperature: float) -> float:
        return float(F.cross_entropy(logits.double() / temperature, labels))

    assert loss(best) < min(loss(1.0), loss(best * 1.01), loss(best / 1.01))
    figures = measure_calibration(logits, labels, best)
    for name in ("negative_log_likelihood", "expected_calibration_error"):
        assert figures["after"][name] < figures["before"][name]
    assert figures["after"]["negative_log_likelihood"] == pytest.approx(loss(best))


def test_a_head_that_is_always_right_or_says_nothing_stays_finite() -> None:
    labels = torch.tensor([0, 1])
    assert fit_temperature(torch.eye(2), labels) == pytest.approx(0.05)
    assert fit_temperature(-torch.eye(2), labels) == pytest.approx(20.0)


def test_the_error_is_the_distance_of_confidence_and_accuracy_by_bins() -> None:
    chances = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.5, 0.5]])
    labels = torch.tensor([0, 1, 1, 0])
    found = reliability(chances, labels, bins=10)
    assert [(one.count, round(one.confidence, 6), one.accuracy) for one in found] == [
        (1, 0.5, 1.0),
        (1, 0.7, 1.0),
        (2, 0.9, 0.5),
    ]
    error = calibration_error(chances, labels, bins=10)
    assert error == pytest.approx((0.5 + 0.3 + 2 * 0.4) / 4)
