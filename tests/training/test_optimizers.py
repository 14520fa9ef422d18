"""Which weight goes to which optimiser, and whether its state comes back."""

from __future__ import annotations

from types import ModuleType

import torch

from hanlin.config import ModelConfig, OptimizerConfig
from hanlin.models import build_model
from hanlin.training import Optimizer, hidden_matrices


def _masters(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "up.weight": torch.randn(8, 4, generator=generator),
        "embedding.weight": torch.randn(10, 4, generator=generator),
        "norm.weight": torch.ones(4),
    }


def _learn(optimizer: Optimizer, masters: dict[str, torch.Tensor], seeds: range) -> None:
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        for master in masters.values():
            master.grad = torch.randn(master.shape, generator=generator)
        optimizer.step(1.0)


def test_hidden_matrices_are_the_linear_layers_without_embeddings_and_head() -> None:
    shape = ModelConfig(
        vocab_size=32, hidden_size=16, num_heads=2, num_layers=1, tie_embeddings=False
    )
    found = hidden_matrices(build_model(shape, seed=1))
    assert {name.removeprefix("blocks.0.") for name in found} == {
        "attention.qkv.weight",
        "attention.output.weight",
        "mlp.gate_up.weight",
        "mlp.down.weight",
    }
    assert found["blocks.0.attention.qkv.weight"] == (16, 16, 16)
    assert found["blocks.0.attention.output.weight"] == (16,)


def test_muon_takes_the_matrices_and_adamw_the_rest() -> None:
    masters = _masters()
    optimizer = Optimizer(masters, OptimizerConfig(), matrices={"up.weight": (8,)})
    _learn(optimizer, masters, range(1))
    names = set(optimizer.state_dict())
    assert "muon.up.weight" in names
    assert {"adamw.exp_avg.embedding.weight", "adamw.exp_avg.norm.weight"} < names
    assert "adamw.exp_avg.up.weight" not in names


def test_adamw_decays_matrices_and_leaves_norms_alone() -> None:
    masters = _masters()
    before = {name: master.clone() for name, master in masters.items()}
    config = OptimizerConfig(kind="adamw", learning_rate=0.1, weight_decay=0.5)
    optimizer = Optimizer(masters, config, matrices={"up.weight": (8,)})
    for master in masters.values():
        master.grad = torch.zeros_like(master)
    optimizer.step(1.0)
    torch.testing.assert_close(masters["up.weight"], 0.95 * before["up.weight"])
    torch.testing.assert_close(masters["norm.weight"], before["norm.weight"])


def test_state_comes_back_bit_for_bit() -> None:
    for kind in ("muon", "adamw"):
        config = OptimizerConfig.model_validate({"kind": kind})
        straight, broken = _masters(), _masters()
        one = Optimizer(straight, config, matrices={"up.weight": (8,)})
        _learn(one, straight, range(4))
        first = Optimizer(broken, config, matrices={"up.weight": (8,)})
        _learn(first, broken, range(2))
        second = Optimizer(broken, config, matrices={"up.weight": (8,)})
        second.load_state_dict(first.state_dict())
        _learn(second, broken, range(2, 4))
        assert all(torch.equal(straight[name], broken[name]) for name in straight)


def test_a_checkpoint_before_the_first_step_can_be_restored(small: ModuleType) -> None:
    masters = _masters()
    optimizer = Optimizer(masters, OptimizerConfig(), matrices={"up.weight": (8,)})
    optimizer.load_state_dict(optimizer.state_dict())
    _learn(optimizer, masters, range(1))
