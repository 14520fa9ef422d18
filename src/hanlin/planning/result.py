"""What a plan says: a stage's and the whole run's figures, and on what they stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from hanlin.config import ModelConfig
from hanlin.planning.prices import Prices
from hanlin.planning.sampling import CorpusEstimate

__all__ = ["Plan", "StagePlan"]


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What one stage will take."""

    name: str
    model: ModelConfig
    """The shape that it releases."""
    steps: int
    batch_tokens: int
    tokens: int
    epochs: float
    """Times that the corpus is read."""
    flops: float
    extra_flops: float
    """Those of `flops` that teachers and text of its own take."""
    teaching_flops: float
    """Those that teachers or a reference take."""
    cache_bytes: float
    """Disk for what teachers said, with which `teaching_flops` are paid once; 0 without a cache."""
    seconds: float
    tokens_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a recipe will take."""

    name: str
    model: ModelConfig
    """The shape that the last stage releases."""
    parameters: Mapping[str, int]
    flops_formula: str
    corpus: CorpusEstimate
    stages: tuple[StagePlan, ...]
    memory: Mapping[str, float]
    """Bytes by part, by formula."""
    peak_bytes: float
    """Largest resident size of the run: measured with a probe, else the sum of the parts."""
    phases: Mapping[str, float]
    """Seconds by phase."""
    prices: Prices
    basis: str
    """What time and memory stand on."""
    notes: tuple[str, ...] = field(default=())

    @property
    def seconds(self) -> float:
        """The whole run's time."""
        return sum(self.phases.values())

    @property
    def flops(self) -> float:
        """Operations of all stages."""
        return sum(stage.flops for stage in self.stages)

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        stages = [
            {**asdict(stage), "model": stage.model.model_dump(mode="json")} for stage in self.stages
        ]
        return {
            "name": self.name,
            "model": self.model.model_dump(mode="json"),
            "parameters": {**self.parameters, "total": sum(self.parameters.values())},
            "corpus": self.corpus.as_dict(),
            "stages": stages,
            "tokens": sum(stage.tokens for stage in self.stages),
            "flops": self.flops,
            "flops_formula": self.flops_formula,
            "memory": dict(self.memory),
            "peak_bytes": self.peak_bytes,
            "phases": dict(self.phases),
            "seconds": self.seconds,
            "money": self.prices.as_dict(self.seconds) if self.prices.given else None,
            "basis": self.basis,
            "notes": list(self.notes),
        }
