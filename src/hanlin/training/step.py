"""One optimiser step: the mathematics of training, and nothing else.

Rows are taken in microbatches. Each adds its sum of losses, its weight and its gradient; these sums
go over all processes; only then is everything divided, once, by the global weight. The guard judges
the result, the gradient is clipped to a norm (Pascanu et al. 2013, arXiv:1211.5063), and the
optimiser moves the masters. A step that the guard refuses leaves no trace but a count.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hanlin.config import TrainingConfig
from hanlin.errors import DataError, HanlinError
from hanlin.objectives import Objective
from hanlin.training.chance import seed_step
from hanlin.training.device import Placement
from hanlin.training.distributed import World
from hanlin.training.guards import Guard
from hanlin.training.optimizers import Optimizer, hidden_matrices
from hanlin.training.precision import MasterWeights
from hanlin.training.schedule import learning_rate_share

__all__ = ["Outcome", "Stepper", "choose_microbatch"]

_ACTIVATION_BYTES = 2**30
"""What the activations of a microbatch may take; more rows at once gain no speed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step did, the same on all processes."""

    loss: float
    """Nats a token, over all processes."""
    weight: float
    """What was counted, over all processes: tokens, as a rule."""
    parts: dict[str, float]
    """The objective's parts, a token."""
    gradient_norm: float
    """Norm of the gradient before clipping."""
    fault: str
    """Why the step was skipped, or empty."""
    stop: bool
    """Whether any process was asked to stop."""


class Stepper:
    """Does the steps of one stage."""

    def __init__(
        self,
        model: nn.Module,
        objective: Objective[Any],
        config: TrainingConfig,
        placement: Placement,
        world: World,
        seed: int,
        microbatch: int,
    ) -> None:
        """Move the model to its device and dtype, and make its optimiser."""
        self.model = model.to(placement.device)
        self.objective = objective
        self.weights = MasterWeights(model, placement.dtype)
        self.optimizer = Optimizer(
            self.weights.trainable,
            config.optimizer,
            matrices=hidden_matrices(model),
            matmul_dtype=placement.dtype,
        )
        self.guard = Guard(config.max_skipped)
        self.microbatch = microbatch
        self._config = config
        self._placement = placement
        self._world = world
        self._seed = seed
        self._generator = torch.Generator(placement.device)

    def run(self, step: int, rows: NDArray[Any], *, stop: bool = False) -> Outcome:
        """Do step number `step` (from 0) on this process's rows (R, T + 1) of token ids."""
        seed_step(self._seed, step, self._world.rank, self._generator)
        self._check(rows, step)
        progress = step / self._config.num_steps
        sums = self._accumulate(torch.from_numpy(np.ascontiguousarray(rows)), progress)
        names = sorted(sums.keys() - {"loss", "weight"})
        numbers = [float(stop), sums["loss"], sums["weight"], *(sums[name] for name in names)]
        stopped, loss, weight, *parts = self._world.sum_numbers(numbers)
        gradients = self.weights.gradients()
        self._world.sum_gradients(gradients)
        weight = max(weight, 1.0)
        norm = float(torch.nn.utils.get_total_norm(gradients)) / weight
        fault = self.guard.judge(loss / weight, norm)
        if not fault:
            self._update(step, gradients, norm, weight)
        self.weights.clear()
        means = {name: part / weight for name, part in zip(names, parts, strict=True)}
        return Outcome(loss / weight, weight, means, norm, fault, stopped > 0)

    def state_dict(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return what a step leaves behind besides the weights, as tensors and as JSON values."""
        objective = self.objective.state_dict()
        tensors = {f"objective.{n}": v for n, v in objective.items() if isinstance(v, Tensor)}
        values = {n: v for n, v in objective.items() if not isinstance(v, Tensor)}
        return (
            {**self.optimizer.state_dict(), **tensors},
            {"guard": self.guard.state_dict(), "objective": values},
        )

    def load_state_dict(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        mine = {
            n.removeprefix("objective."): t for n, t in tensors.items() if n[:10] == "objective."
        }
        self.objective.load_state_dict({**mine, **values["objective"]})
        self.optimizer.load_state_dict(tensors)
        self.guard.load_state_dict(values["guard"])

    def _accumulate(self, rows: Tensor, progress: float) -> dict[str, float]:
        """Add up losses, weights, parts and gradients over the microbatches."""
        sums: dict[str, float] = defaultdict(float)
        try:
            for microbatch in torch.split(rows, self.microbatch):
                batch = microbatch.to(self._placement.device)
                prepared = self.objective.prepare(batch, self.model, self._generator, progress)
                loss = self.objective.loss(self.model, prepared)
                torch.autograd.backward(loss.sum)
                self.weights.collect()
                sums["loss"] += float(loss.sum.detach())
                sums["weight"] += float(loss.weight)
                for name, part in loss.parts.items():
                    sums[name] += float(part.detach())
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise HanlinError(
                f"Memory ran out with {self.microbatch} sequences of {rows.shape[1] - 1} tokens a "
                "microbatch. Set training.microbatch to fewer; what is learnt stays the same."
            ) from error
        return sums

    def _update(self, step: int, gradients: list[Tensor], norm: float, weight: float) -> None:
        limit = self._config.optimizer.clip_norm
        shrink = min(1.0, limit / max(norm, 1e-12)) if limit else 1.0
        torch._foreach_mul_(gradients, shrink / weight)
        self.optimizer.step(
            learning_rate_share(step, self._config.num_steps, self._config.schedule)
        )
        self.weights.publish()

    def _check(self, rows: NDArray[Any], step: int) -> None:
        size = getattr(getattr(self.model, "config", None), "vocab_size", None)
        if size is not None and rows.max() >= size:
            raise DataError(
                f"The data of step {step} hold the token id {rows.max()}, but the model's "
                f"vocabulary ends at {size - 1}. The shards were made with another tokenizer; "
                "build them anew."
            )


def choose_microbatch(model: nn.Module, num_rows: int, length: int) -> int:
    """Return how many of `num_rows` sequences go through the model at once.

    It is the largest divisor of `num_rows` whose activations stay within 1 GiB, counted as 18
    values of the width a layer and token. It depends on the shapes only, never on what memory
    happens to be free, so that a resumed run adds in the same order.
    """
    config = getattr(model, "config", None)
    width, layers = getattr(config, "hidden_size", 256), getattr(config, "num_layers", 4)
    itemsize = next(model.parameters()).element_size()
    fit = _ACTIVATION_BYTES // (18 * width * layers * itemsize * length)
    return max(n for n in range(1, num_rows + 1) if num_rows % n == 0 and n <= max(1, fit))
