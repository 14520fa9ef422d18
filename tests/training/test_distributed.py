"""Two processes on gloo learn what one does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from itertools import chain
from pathlib import Path
from types import ModuleType

import pytest
import torch

from hanlin.records import read_jsonl
from hanlin.training import World, read_snapshot
from hanlin.training.distributed import _buckets

_SCRIPT = Path(__file__).with_name("training_process.py")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run_processes(count: int, *arguments: str) -> None:
    """Start processes as torchrun does: with their rank and meeting place in the environment."""
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    environment = os.environ | meeting | {"WORLD_SIZE": str(count), "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, str(_SCRIPT), *arguments],
            env=environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said


def test_two_processes_learn_what_one_does(small: ModuleType, tmp_path: Path) -> None:
    _run_processes(2, str(tmp_path / "two"), "--steps", "10", "--dropout", "0")
    config = small.settings(steps=10)
    small.run(tmp_path / "one", config, model=small.tiny_model(dropout=0.0))
    one, two = (
        read_snapshot(tmp_path / name / "checkpoints" / "step-00000010") for name in ("one", "two")
    )
    for name, weight in one.weights.items():
        torch.testing.assert_close(weight, two.weights[name], rtol=1e-3, atol=1e-5)
    for ours, theirs in zip(
        read_jsonl(tmp_path / "one" / "metrics.jsonl"),
        read_jsonl(tmp_path / "two" / "metrics.jsonl"),
        strict=True,
    ):
        assert ours.keys() == theirs.keys()
        if ours["kind"] == "train":
            assert ours["tokens"] == theirs["tokens"]
            assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-4)


def test_one_process_alone_needs_no_group() -> None:
    gradients = [torch.ones(3)]
    World().sum_gradients(gradients)
    assert torch.equal(gradients[0], torch.ones(3))
    assert World().sum_numbers([1.0, 2.0]) == [1.0, 2.0]
    assert World().on_first(lambda: "value") == "value"


def test_buckets_hold_every_gradient_once_in_order() -> None:
    gradients = [torch.zeros(3 * 2**20) for _ in range(5)]
    buckets = list(_buckets(gradients))
    assert [len(bucket) for bucket in buckets] == [3, 2]
    assert all(a is b for a, b in zip(chain(*buckets), gradients, strict=True))
