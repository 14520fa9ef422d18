"""A branch goes on with the optimiser of its trunk, bit for bit, or is refused."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from hanlin.config import ScheduleConfig
from hanlin.errors import RunError, StoppedError
from hanlin.training import learning_rate_share, read_snapshot

CONSTANT = {"kind": "constant", "warmup_share": 0.0}
BRANCH = {"kind": "wsd", "warmup_share": 0.0, "decay_share": 1.0}


@pytest.fixture
def trunk(small: ModuleType, tmp_path: Path) -> Path:
    """Return the checkpoints of a finished training at a constant rate."""
    small.run(tmp_path / "trunk", small.settings(steps=10, schedule=CONSTANT))
    return tmp_path / "trunk" / "checkpoints"


class _Later:
    """The batches of a longer training from a step on."""

    def __init__(self, rows: Any, first: int, stop_at: int = -1) -> None:
        self.rows, self.first, self.stop_at = rows, first, stop_at

    def batch(self, step: int, rank: int, world_size: int) -> Any:
        if step == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        return self.rows.batch(self.first + step, rank, world_size)


def _branch(small: ModuleType, folder: Path, trunk: Path, **changes: Any) -> None:
    """Go on from the trunk's weights; without dropout, whose draws follow from the step."""
    model = small.tiny_model(dropout=0.0)
    model.load_state_dict(read_snapshot(max(trunk.glob("step-*"))).weights)
    plain = {"model": model, "batches": _Later(small.CountingRows(), 10), "inherit": trunk}
    config = changes.pop("config", None) or small.settings(steps=10, schedule=CONSTANT)
    small.run(folder, config, **(plain | changes))


def _state(folder: Path, step: int) -> dict[str, Tensor]:
    snapshot = read_snapshot(folder / "checkpoints" / f"step-{step:08d}")
    return {**snapshot.weights, **snapshot.tensors}


def _differing(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    assert one.keys() == other.keys()
    return [name for name in one if not torch.equal(one[name], other[name])]


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_a_trunk_cut_in_two_is_the_trunk_in_one(
    small: ModuleType, tmp_path: Path, kind: str
) -> None:
    def settings(steps: int) -> Any:
        return small.settings(steps=steps, schedule=CONSTANT, optimizer={"kind": kind})

    plain = small.tiny_model(dropout=0.0)
    small.run(tmp_path / "whole", settings(20), model=plain)
    small.run(tmp_path / "first", settings(10), model=small.tiny_model(dropout=0.0))
    trunk = tmp_path / "first" / "checkpoints"
    _branch(small, tmp_path / "second", trunk, config=settings(10))
    assert _differing(_state(tmp_path / "whole", 20), _state(tmp_path / "second", 10)) == []
    _branch(small, tmp_path / "fresh", trunk, config=settings(10), inherit=None)
    assert _differing(_state(tmp_path / "whole", 20), _state(tmp_path / "fresh", 10))


@pytest.mark.parametrize("stop_at", [2, 7])  # before and after the first checkpoint
def test_a_stopped_branch_goes_on_to_the_same_end(
    small: ModuleType, tmp_path: Path, trunk: Path, stop_at: int
) -> None:
    _branch(small, tmp_path / "whole", trunk)
    stopping = _Later(small.CountingRows(), 10, stop_at)
    with pytest.raises(StoppedError):
        _branch(small, tmp_path / "cut", trunk, batches=stopping)
    if stop_at < 5:  # as a kill would leave it
        shutil.rmtree(tmp_path / "cut" / "checkpoints")
    _branch(small, tmp_path / "cut", trunk)
    assert _differing(_state(tmp_path / "whole", 10), _state(tmp_path / "cut", 10)) == []


def test_wsd_without_warm_up_that_decays_all_along_only_falls() -> None:
    schedule = ScheduleConfig.model_validate(BRANCH | {"final_share": 0.0})
    shares = [learning_rate_share(step, 10, schedule) for step in range(10)]
    assert shares == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0])


def test_another_kind_of_optimiser_is_refused(
    small: ModuleType, tmp_path: Path, trunk: Path
) -> None:
    config = small.settings(steps=10, optimizer={"kind": "adamw"})
    with pytest.raises(RunError, match=r"the state .* is missing in .* and \[.*\] in this stage"):
        _branch(small, tmp_path / "b", trunk, config=config)


def test_a_trunk_without_a_last_whole_checkpoint_is_refused(
    small: ModuleType, tmp_path: Path, trunk: Path
) -> None:
    last = max(trunk.glob("step-*"))
    weights = last / "optimizer.safetensors"
    kept = weights.read_bytes()
    weights.write_bytes(kept[:-1])
    with pytest.raises(RunError, match=r"optimizer\.safetensors has \d+ bytes"):
        small.run(tmp_path / "a", small.settings(steps=10), inherit=trunk)
    weights.write_bytes(kept)
    shutil.rmtree(last)
    with pytest.raises(RunError, match="it is of step 5 of 10"):
        small.run(tmp_path / "b", small.settings(steps=10), inherit=trunk)
    with pytest.raises(RunError, match="but there is none"):
        small.run(tmp_path / "c", small.settings(steps=10), inherit=tmp_path / "nowhere")


def test_a_state_for_other_shapes_is_refused(
    small: ModuleType, tmp_path: Path, trunk: Path
) -> None:
    from hanlin.config import ModelConfig
    from hanlin.models import build_model

    shape = ModelConfig(vocab_size=32, hidden_size=16, num_heads=2, num_layers=1, context_length=16)
    with pytest.raises(RunError, match=r"is \[12\] in .* and \[8\] in this stage"):
        small.run(
            tmp_path / "b",
            small.settings(steps=10),
            model=build_model(shape, seed=1),
            inherit=trunk,
        )
