"""fp32 masters keep what bf16 cannot, and come back exactly."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch

from hanlin.errors import CheckpointError
from hanlin.training.precision import MasterWeights


def test_in_fp32_the_masters_are_the_parameters(small: ModuleType) -> None:
    model = small.tiny_model()
    masters = MasterWeights(model, torch.float32).trainable
    assert all(masters[name] is parameter for name, parameter in model.named_parameters())


def test_in_bf16_small_updates_add_up_in_the_masters(small: ModuleType) -> None:
    model = small.tiny_model()
    weights = MasterWeights(model, torch.bfloat16)
    master = weights.trainable["norm.weight"]
    with torch.no_grad():
        master.fill_(1.0)
    for _ in range(100):
        master.add_(1e-4)
        weights.publish()
    assert model.norm.weight.dtype == torch.bfloat16
    torch.testing.assert_close(
        model.norm.weight.float(), torch.full((24,), 1.01), rtol=0, atol=4e-3
    )
    weights.release()
    torch.testing.assert_close(model.norm.weight.detach(), torch.full((24,), 1.01))


def test_gradients_of_bf16_add_up_in_fp32(small: ModuleType) -> None:
    model = small.tiny_model()
    weights = MasterWeights(model, torch.bfloat16)
    for gradient in (256.0, 1.0):
        model.norm.weight.grad = torch.full((24,), gradient, dtype=torch.bfloat16)
        weights.collect()
    total = weights.trainable["norm.weight"].grad
    assert total is not None
    assert torch.equal(total, torch.full((24,), 257.0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_come_back_bit_for_bit(small: ModuleType, dtype: torch.dtype) -> None:
    saver = MasterWeights(small.tiny_model(seed=1), dtype)
    loader = MasterWeights(small.tiny_model(seed=2), dtype)
    loader.load_state_dict(saver.state_dict())
    theirs = saver.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in loader.state_dict().items())


def test_frozen_weights_neither_learn_nor_are_saved_and_stay_in_fp32(small: ModuleType) -> None:
    model = small.tiny_model()
    model.embedding.weight.requires_grad_(False)
    before = model.embedding.weight.clone()
    weights = MasterWeights(model, torch.bfloat16)
    assert "embedding.weight" not in weights.trainable
    assert "embedding.weight" not in weights.state_dict()
    weights.load_state_dict(weights.state_dict())
    weights.release()
    assert torch.equal(model.embedding.weight, before)


def test_a_weight_of_another_model_is_named(small: ModuleType) -> None:
    weights = MasterWeights(small.tiny_model(), torch.float32)
    state = weights.state_dict()
    with pytest.raises(CheckpointError, match=r"extra is found in the checkpoint only"):
        weights.load_state_dict({**state, "extra": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"norm.weight is \(24,\) in the model and \(3,\)"):
        weights.load_state_dict({**state, "norm.weight": torch.zeros(3)})
