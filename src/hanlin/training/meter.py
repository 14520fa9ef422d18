"""Counts what training does: tokens, mean loss between two log lines, speed, MFU, time left.

What depends on the clock is kept apart from what does not, because the latter is the same for a run
that was killed and for one that was not. MFU is the operations of the model, counted as
`hanlin.models.step_flops_per_token` counts them, without the gradients that frozen weights do
without, over the peak of a large matrix product that was measured on this machine, in the same
dtype and with the same threads; it is no data-sheet figure.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from torch import nn

from hanlin.config import TrainingConfig
from hanlin.models import Decoder, step_flops_per_token
from hanlin.training.device import Placement, measure_peak_flops
from hanlin.training.distributed import World
from hanlin.training.progress import Status
from hanlin.training.schedule import learning_rate_share
from hanlin.training.step import Outcome

__all__ = ["Meter"]


class Meter:
    """The counts of one stage, over all calls that it takes."""

    def __init__(
        self,
        model: nn.Module,
        length: int,
        placement: Placement,
        world: World,
        bytes_per_token: float | None,
    ) -> None:
        """Count for sequences of `length` tokens."""
        self.tokens = 0
        """Tokens in accepted steps, over all processes."""
        self.seconds = 0.0
        """Time in steps: evaluation, samples and saving are left out."""
        self.loss: float | None = None
        """Nats a token between the last two log lines; None if every step was skipped."""
        self._cross_entropy: float | None = None
        """The same without what an objective adds to cross-entropy, if it says so in its parts."""
        self._flops = step_flops_per_token(model, length) if isinstance(model, Decoder) else None
        self._placement, self._world = placement, world
        self._bytes_per_token = bytes_per_token
        self._sums: dict[str, float] = defaultdict(float)
        self._lap_seconds = self._lap_tokens = 0.0
        self._seconds_a_step = self._tokens_per_second = 0.0
        self._lap_steps = 0

    @property
    def flops(self) -> int:
        """Operations of the tokens so far; 0 for a model whose operations are not counted."""
        return self.tokens * (self._flops or 0)

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Count the time of a block as that of one step."""
        started = time.perf_counter()
        yield
        elapsed = time.perf_counter() - started
        self.seconds += elapsed
        self._lap_seconds += elapsed
        self._lap_steps += 1

    def add(self, outcome: Outcome) -> None:
        """Count a step; a skipped one counts for speed alone."""
        self._lap_tokens += outcome.weight
        if outcome.fault:
            return
        self.tokens += round(outcome.weight)
        self._sums["weight"] += outcome.weight
        self._sums["loss"] += outcome.loss * outcome.weight
        for name, part in outcome.parts.items():
            self._sums[f"part.{name}"] += part * outcome.weight

    def report(
        self, config: TrainingConfig, step: int, outcome: Outcome, skipped: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Close a lap: return its metrics, and apart from them those that depend on the clock."""
        weight = self._sums.pop("weight", 0.0)
        means = {name: total / weight for name, total in self._sums.items()} if weight else {}
        self._sums.clear()
        self.loss = means.pop("loss", None)
        self._cross_entropy = means.get("part.cross_entropy", self.loss)
        share = learning_rate_share(step - 1, config.num_steps, config.schedule)
        fields = {
            "tokens": self.tokens,
            "loss": self.loss,
            **{name.removeprefix("part."): mean for name, mean in means.items()},
            "bits_per_byte": self._bits_per_byte(),
            "learning_rate": config.optimizer.learning_rate * share,
            "gradient_norm": outcome.gradient_norm
            if math.isfinite(outcome.gradient_norm)
            else None,
            "skipped": skipped,
        }
        self._tokens_per_second = self._lap_tokens / max(self._lap_seconds, 1e-9)
        self._seconds_a_step = self._lap_seconds / max(self._lap_steps, 1)
        self._lap_seconds = self._lap_tokens = self._lap_steps = 0
        clock = {
            "elapsed": round(self.seconds, 3),
            "tokens_per_second": round(self._tokens_per_second, 1),
            "mfu": None if self._mfu() is None else round(self._mfu() or 0.0, 4),
        }
        return fields, clock

    def status(self, config: TrainingConfig, step: int) -> Status:
        """Return where training is, after `report`."""
        return Status(
            step=step,
            num_steps=config.num_steps,
            loss=self.loss,
            bits_per_byte=self._bits_per_byte(),
            tokens_per_second=self._tokens_per_second,
            mfu=self._mfu(),
            seconds_left=self._seconds_a_step * (config.num_steps - step),
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return {
            "tokens": self.tokens,
            "seconds": self.seconds,
            "loss": self.loss,
            "sums": dict(self._sums),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        self.tokens, self.seconds, self.loss = state["tokens"], state["seconds"], state["loss"]
        self._sums = defaultdict(float, state["sums"])

    def _bits_per_byte(self) -> float | None:
        if self._cross_entropy is None or self._bytes_per_token is None:
            return None
        return self._cross_entropy / math.log(2) / self._bytes_per_token

    def _mfu(self) -> float | None:
        if self._flops is None:
            return None
        peak = measure_peak_flops(self._placement) * self._world.size
        return self._flops * self._tokens_per_second / peak
