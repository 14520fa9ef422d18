"""An optimiser that goes on where another stage's ended: momenta and moments, not the weights.

A branch of a constant-rate trunk only lets the rate fall; a fresh optimiser would throw away what
the moments know, and its first steps would be ones of warm-up that the branch does not have.
"""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import load_file

from hanlin.config import TrainingConfig
from hanlin.errors import RunError
from hanlin.training.checkpoint import find_fault
from hanlin.training.optimizers import Optimizer

__all__ = ["inherit_state"]


def inherit_state(optimizer: Optimizer, checkpoints: Path) -> None:
    """Load the optimiser's state from the last checkpoint of a finished stage.

    Raises:
        RunError: there is no whole last checkpoint, or its state belongs to other weights.
    """
    path = max(checkpoints.glob("step-*"), key=lambda place: place.name, default=None)
    fault = "there is none" if path is None else find_fault(path) or _lateness(path)
    if path is None or fault:
        raise RunError(
            f"training.inherit_optimizer takes the last checkpoint in {checkpoints}, but {fault}. "
            "Put it back, or leave inherit_optimizer out to begin with a fresh optimiser."
        )
    tensors = load_file(path / "optimizer.safetensors")
    found = {n: tuple(t.shape) for n, t in tensors.items() if not n.startswith("objective.")}
    wanted = optimizer.state_shapes()
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            raise RunError(
                f"training.inherit_optimizer: the state {name!r} is {_show(found.get(name))} in "
                f"{path} and {_show(wanted.get(name))} in this stage. Take the same model and "
                "optimizer.kind, or leave inherit_optimizer out."
            )
    optimizer.load_state_dict(tensors)


def _lateness(path: Path) -> str:
    """Return how a checkpoint falls short of its stage's last step; empty if it does not."""
    state = json.loads((path / "state.json").read_text(encoding="utf-8"))
    learning = state["settings"]["training"]
    lengths = {key: learning[key] for key in ("steps", "tokens", "batch_tokens")}
    num_steps = TrainingConfig.model_validate(lengths).num_steps
    if state["step"] == num_steps:
        return ""
    return f"it is of step {state['step']} of {num_steps}"


def _show(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else str(list(shape))
