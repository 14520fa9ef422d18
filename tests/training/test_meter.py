"""What training counts: operations and the share of the machine's peak that they reach."""

from __future__ import annotations

import pytest
import torch

from hanlin.config import ExpandConfig, ModelConfig, TrainingConfig
from hanlin.models import build_model, flops_per_token, step_flops_per_token
from hanlin.models.expansion import begin_expansion
from hanlin.training import World, choose_placement, measure_peak_flops
from hanlin.training.meter import Meter
from hanlin.training.step import Outcome

SHAPE = ModelConfig(vocab_size=64, hidden_size=32, num_layers=2, num_heads=2, context_length=16)


def test_the_mfu_of_frozen_weights_leaves_out_gradients_that_nobody_computes() -> None:
    core = build_model(SHAPE, seed=1)
    added = ExpandConfig(method="layers", layers=(1,))
    module = begin_expansion(core, added, torch.Generator().manual_seed(1))
    cost = step_flops_per_token(module, 16)
    assert cost < 0.75 * flops_per_token(SHAPE, 16)
    placement = choose_placement("cpu")
    meter = Meter(module, 16, placement, World(), bytes_per_token=None)
    with meter.timed():
        meter.add(Outcome(1.0, 160.0, {}, 1.0, "", False))
    meter._lap_seconds = 160 * cost / measure_peak_flops(placement)  # as a machine at its peak
    assert meter.flops == 160 * cost
    _, clock = meter.report(TrainingConfig(steps=2), 1, Outcome(1.0, 1.0, {}, 1.0, "", False), 0)
    assert clock["mfu"] == pytest.approx(1.0, abs=1e-3)
