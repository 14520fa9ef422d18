"""How one training stage learns: batches, optimiser, schedule, guards, checkpoints."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from hanlin.config._strict import Strict
from hanlin.config.level import LevelConfig

__all__ = ["CheckpointConfig", "OptimizerConfig", "ScheduleConfig", "TrainingConfig"]


class OptimizerConfig(Strict):
    """The optimiser and its constants."""

    kind: Literal["muon", "adamw"] = "muon"
    """`muon` for hidden matrices with AdamW for the rest (Jordan et al. 2024), or AdamW for all."""
    learning_rate: float = Field(default=0.02, gt=0)
    """Peak rate of AdamW; left out, 0.02 beside Muon (embeddings, head, norms) and 0.001 alone."""
    muon_learning_rate: float = Field(default=0.02, gt=0)
    """Peak rate of Muon."""
    weight_decay: float = Field(default=0.1, ge=0)
    """Decoupled weight decay on matrices."""
    betas: tuple[float, float] = (0.9, 0.95)
    """Decay of AdamW's two moments."""
    momentum: float = Field(default=0.95, ge=0, lt=1)
    """Muon's Nesterov momentum."""
    eps: float = Field(default=1e-8, gt=0)
    """AdamW's epsilon."""
    clip_norm: float = Field(default=1.0, ge=0)
    """Largest norm of the gradient; 0 leaves it as it is."""

    @model_validator(mode="before")
    @classmethod
    def _rate_of_kind(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("kind") == "adamw":
            return {"learning_rate": 1e-3, **values}
        return values


class ScheduleConfig(Strict):
    """The learning rate over the steps, as a share of its peak."""

    kind: Literal["wsd", "cosine", "constant"] = "wsd"
    """Warm-up then: constant and linear decay, one half cosine, or constant."""
    warmup_share: float = Field(default=0.02, ge=0, le=1)
    """Share of the steps in which the rate rises."""
    decay_share: float = Field(default=0.5, ge=0, le=1)
    """Share of the steps in which `wsd` falls."""
    final_share: float = Field(default=0.05, ge=0, le=1)
    """What is left of the rate at the end."""

    @property
    def stable_share(self) -> float:
        """Share of the steps before the rate begins to fall."""
        if self.kind == "constant":
            return 1.0
        if self.kind == "cosine":
            return self.warmup_share
        return max(self.warmup_share, 1 - self.decay_share)


class CheckpointConfig(Strict):
    """When the state is saved, how many are kept, and where copies go."""

    every_steps: int = Field(default=200, ge=1)
    """Steps between checkpoints."""
    keep: int = Field(default=2, ge=2)
    """Checkpoints kept; at least two, since the last may be the one being written."""
    backup: str = ""
    """A second place for each kept checkpoint: a folder or any fsspec URL."""


class TrainingConfig(Strict):
    """Everything about the loop that is not the model, the data or the objective."""

    steps: int = Field(default=0, ge=0)
    """Optimiser steps; 0 takes `tokens`."""
    tokens: int = Field(default=0, ge=0)
    """Training tokens, rounded up to whole steps; 0 takes `steps`."""
    batch_tokens: int = Field(default=8192, ge=8)
    """Tokens a step, over all processes and accumulated microbatches."""
    packing: Literal["stream", "documents"] = "documents"
    """Rows that begin with a document and are filled by best fit, or cut from the joined stream."""
    microbatch: int = Field(default=0, ge=0)
    """Sequences a forward pass; 0 lets Hanlin choose."""
    optimizer: OptimizerConfig = OptimizerConfig()
    """The optimiser."""
    schedule: ScheduleConfig = ScheduleConfig()
    """The learning rate over the steps."""
    inherit_optimizer: bool = False
    """Whether the optimiser goes on with the momenta and moments of the stage named by `from`, as
    a branch of a trunk does; a fresh one unless set."""
    checkpoint: CheckpointConfig = CheckpointConfig()
    """When the state is saved."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the forward and backward pass; weights are kept in fp32 always."""
    compile: bool = False
    """Whether torch.compile is used; it is measured to be no gain on the CPUs we tried."""
    log_every: int = Field(default=10, ge=1)
    """Steps between lines of metrics."""
    eval_every: int = Field(default=200, ge=1)
    """Steps between evaluations on the validation part."""
    eval_tokens: int = Field(default=65_536, ge=1)
    """Validation tokens a language and evaluation."""
    sample_every: int = Field(default=400, ge=0)
    """Steps between sample texts; 0 writes none."""
    until: LevelConfig | None = None
    """Ends training before its last step, once a metric of its evaluations has reached a level."""
    max_skipped: int = Field(default=10, ge=1)
    """Steps in a row that may be skipped for a non-finite or spiking loss before the run stops."""

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if bool(self.steps) == bool(self.tokens):
            raise ValueError("give the length of training as either `steps` or `tokens`")
        return self

    @property
    def num_steps(self) -> int:
        """Optimiser steps in all."""
        return self.steps or -(-self.tokens // self.batch_tokens)

    @property
    def num_evaluations(self) -> int:
        """Evaluations in all; the last step has one always."""
        return -(-self.num_steps // self.eval_every)
