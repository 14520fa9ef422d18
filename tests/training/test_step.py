"""One step: sums over microbatches, one division, and guards that leave no trace."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hanlin.errors import DataError, HanlinError
from hanlin.objectives import Loss, NextToken
from hanlin.training import Placement, World
from hanlin.training.step import Stepper, choose_microbatch


def _stepper(small: ModuleType, **changes: Any) -> Stepper:
    plain: dict[str, Any] = {
        "model": small.tiny_model(dropout=0.0),
        "objective": NextToken(),
        "config": small.settings(),
        "dtype": torch.float32,
        "microbatch": 8,
    }
    given = plain | changes
    return Stepper(
        given["model"],
        given["objective"],
        given["config"],
        placement=Placement(torch.device("cpu"), given["dtype"], 1),
        world=World(),
        seed=3,
        microbatch=given["microbatch"],
    )


def _weights(stepper: Stepper) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in stepper.weights.state_dict().items()}


class _Spoilt(NextToken):
    """Next-token loss that turns bad when told to."""

    factor = 1.0

    def loss(self, model: nn.Module, prepared: Any) -> Loss:
        good = super().loss(model, prepared)
        return Loss(good.sum * self.factor, good.weight, good.parts)


class _BadGradient(NextToken):
    """A finite loss whose gradient is not: sqrt at zero."""

    def loss(self, model: nn.Module, prepared: Any) -> Loss:
        good = super().loss(model, prepared)
        weight = next(model.parameters())
        return Loss(good.sum + (weight * 0).abs().sum().sqrt(), good.weight, good.parts)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_accumulation_does_not_change_the_mathematics(
    small: ModuleType, dtype: torch.dtype
) -> None:
    rows = small.CountingRows().batch(0)
    whole, parts = (_stepper(small, microbatch=m, dtype=dtype) for m in (8, 2))
    one, four = whole.run(0, rows), parts.run(0, rows)
    slack = 1e-5 if dtype == torch.float32 else 1e-2
    assert one.loss == pytest.approx(four.loss, rel=slack)
    assert one.gradient_norm == pytest.approx(four.gradient_norm, rel=slack)
    assert one.weight == four.weight == 8 * 16


def test_gradients_of_microbatches_add_up(small: ModuleType) -> None:
    gradients = []
    for microbatch in (8, 2):
        stepper = _stepper(small, microbatch=microbatch)
        stepper._accumulate(torch.from_numpy(small.CountingRows().batch(0)), 0.0)
        gradients.append(stepper.weights.gradients())
    for one, four in zip(*gradients, strict=True):
        torch.testing.assert_close(one, four, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_changes_nothing(small: ModuleType, factor: float) -> None:
    objective = _Spoilt()
    stepper = _stepper(small, objective=objective)
    stepper.run(0, small.CountingRows().batch(0))
    before, state = _weights(stepper), stepper.state_dict()[0]
    state = {name: tensor.clone() for name, tensor in state.items()}
    objective.factor = factor
    assert stepper.run(1, small.CountingRows().batch(1)).fault
    assert all(torch.equal(tensor, before[name]) for name, tensor in _weights(stepper).items())
    after = stepper.state_dict()[0]
    assert all(torch.equal(tensor, after[name]) for name, tensor in state.items())


def test_a_skipped_step_leaves_training_as_if_it_had_not_been(small: ModuleType) -> None:
    objective = _Spoilt()
    hit, spared = _stepper(small, objective=objective), _stepper(small)
    rows = small.CountingRows()
    for stepper in (hit, spared):
        stepper.run(0, rows.batch(0))
    objective.factor = float("nan")
    hit.run(1, rows.batch(1))
    objective.factor = 1.0
    for stepper in (hit, spared):
        stepper.run(2, rows.batch(2))
    theirs = _weights(spared)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in _weights(hit).items())


def test_a_gradient_that_is_not_finite_changes_nothing(small: ModuleType) -> None:
    stepper = _stepper(small, objective=_BadGradient())
    before = _weights(stepper)
    outcome = stepper.run(0, small.CountingRows().batch(0))
    assert "gradient" in outcome.fault
    assert all(torch.equal(tensor, before[name]) for name, tensor in _weights(stepper).items())


def test_a_spike_changes_nothing(small: ModuleType) -> None:
    objective = _Spoilt()
    config = small.settings(optimizer={"learning_rate": 1e-6, "muon_learning_rate": 1e-6})
    stepper = _stepper(small, objective=objective, config=config)
    for step in range(40):
        assert not stepper.run(step, small.CountingRows().batch(step)).fault
    before = _weights(stepper)
    objective.factor = 10.0
    assert "spike" in stepper.run(40, small.CountingRows().batch(40)).fault
    assert all(torch.equal(tensor, before[name]) for name, tensor in _weights(stepper).items())


@pytest.mark.parametrize("kind", ["muon", "adamw"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_model_learns_to_count(small: ModuleType, kind: str, dtype: torch.dtype) -> None:
    config = small.settings(steps=60, optimizer={"kind": kind, "learning_rate": 0.01})
    stepper = _stepper(small, config=config, dtype=dtype)
    losses = [stepper.run(step, small.CountingRows().batch(step)).loss for step in range(60)]
    assert losses[-1] < 0.5 * losses[0]


def test_clipping_bounds_the_norm_that_the_optimiser_sees(small: ModuleType) -> None:
    config = small.settings(optimizer={"clip_norm": 0.01})
    stepper = _stepper(small, config=config)
    seen: list[float] = []

    def watch(share: float) -> None:
        gradients = stepper.weights.gradients()
        seen.append(float(torch.nn.utils.get_total_norm(gradients)))

    stepper.optimizer.step = watch  # type: ignore[method-assign]
    outcome = stepper.run(0, small.CountingRows().batch(0))
    assert outcome.gradient_norm > 0.01
    assert seen == [pytest.approx(0.01, rel=1e-4)]


def test_a_token_beyond_the_vocabulary_is_named(small: ModuleType) -> None:
    rows = np.full((8, 17), 32, dtype=np.int32)
    with pytest.raises(DataError, match="token id 32, but the model's vocabulary ends at 31"):
        _stepper(small).run(0, rows)


def test_out_of_memory_names_the_setting(small: ModuleType) -> None:
    class Greedy(NextToken):
        def loss(self, model: nn.Module, prepared: Any) -> Loss:
            raise torch.OutOfMemoryError

    with pytest.raises(HanlinError, match=r"8 sequences of 16 tokens.*training\.microbatch"):
        _stepper(small, objective=Greedy()).run(0, small.CountingRows().batch(0))


def test_the_objectives_state_travels_with_the_optimisers(small: ModuleType) -> None:
    class Remembering(NextToken):
        def __init__(self) -> None:
            super().__init__()
            self.state: dict[str, Any] = {"critic": torch.ones(3), "baseline": 0.5}

        def state_dict(self) -> dict[str, Any]:
            return self.state

        def load_state_dict(self, state: dict[str, Any]) -> None:
            self.state = state

    one, other = Remembering(), Remembering()
    one.state = {"critic": torch.arange(3.0), "baseline": 0.25}
    saver, loader = _stepper(small, objective=one), _stepper(small, objective=other)
    saver.run(0, small.CountingRows().batch(0))
    loader.load_state_dict(*saver.state_dict())
    assert torch.equal(other.state["critic"], torch.arange(3.0))
    assert other.state["baseline"] == 0.25


def test_a_microbatch_divides_the_rows_and_fits_the_memory(small: ModuleType) -> None:
    model = small.tiny_model()
    assert choose_microbatch(model, 12, 16) == 12
    a_row = 18 * 24 * 4 * 1_000_000
    assert a_row > 2**30 // 2
    assert choose_microbatch(model, 12, 1_000_000) == 1
    assert choose_microbatch(model, 12, 120_000) == 4
