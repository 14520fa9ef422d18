"""Two saved states of training, compared bit for bit; what the clock says does not count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

__all__ = ["compare_states"]

_TENSORS = ("model.safetensors", "optimizer.safetensors")


def compare_states(one: Path, other: Path) -> tuple[int, int]:
    """Return how many tensors checkpoint `one` holds, and how many `other` has not the same.

    A difference in what a step leaves behind besides tensors counts as one more.
    """
    compared = differing = 0
    for file in _TENSORS:
        ours, theirs = load_file(one / file), load_file(other / file)
        compared += len(ours)
        differing += sum(
            name not in theirs or not _identical(tensor, theirs[name])
            for name, tensor in ours.items()
        )
        differing += len(theirs.keys() - ours.keys())
    return compared, differing + (_stepper(one) != _stepper(other))


def _identical(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Compare bit for bit: a NaN equals itself, and -0 is not 0."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return torch.equal(one.reshape(-1).view(torch.uint8), other.reshape(-1).view(torch.uint8))


def _stepper(checkpoint: Path) -> Any:
    """Return what a step leaves behind besides tensors: guard and objective."""
    return json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))["stepper"]
