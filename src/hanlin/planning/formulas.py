"""What training takes by formula alone: memory by part, operations, and time at a given speed.

    FLOPs a token = 6 x (weights that multiply) + 12 x heads x head width x context seen
    (Kaplan et al. 2020, arXiv 2001.08361; Chowdhery et al. 2022, arXiv 2204.02311, appendix B)
    seconds       = FLOPs / (peak x MFU)

Memory follows the training loop's own storage: fp32 weights and gradients, the optimiser's momenta,
a bf16 copy where training computes in bf16, and what the backward pass needs of each layer. It is
the answer for a model that does not fit here; for one that does, `probe` measures.

    python -m hanlin.planning.formulas gpt3-175b
"""

from __future__ import annotations

from dataclasses import dataclass

from hanlin.config import ModelConfig, TrainingConfig
from hanlin.models.counting import count_parameters, flops_per_token

__all__ = ["Hardware", "activation_bytes", "flops_formula", "memory_parts"]

_CHUNK_LOGITS = 64 * 2**20
_SCORED_LOGITS, _SCORED_TOKENS = 2**25, 8192  # what evaluation holds at once
_PROGRAM = 300_000_000  # Python and torch before any tensor
_UNDER_WAY = 1.45  # gradients of activations and the allocator's gaps; measured on 1M to 14M


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What a time by formula stands on."""

    peak_flops: float
    """Operations a second of one device's large matrix products."""
    mfu: float = 0.4
    """The share of the peak that training is expected to reach."""
    devices: int = 1
    name: str = "this machine"

    @property
    def flops_per_second(self) -> float:
        """What all devices together are expected to do."""
        return self.peak_flops * self.mfu * self.devices


def flops_formula(model: ModelConfig) -> str:
    """Write the operations of one token as the sum that they are."""
    parameters = count_parameters(model)
    weights = parameters.non_embedding + model.vocab_size * model.hidden_size
    attention = flops_per_token(model) - 6 * weights
    return (
        f"6 × {weights:,} weights that multiply + {attention:,} for attention over "
        f"{model.context_length:,} tokens = {flops_per_token(model):,} a token"
    )


def memory_parts(
    model: ModelConfig, training: TrainingConfig, *, microbatch: int, bf16: bool
) -> dict[str, float]:
    """Return the training process's memory by part in bytes; the page cache is not counted."""
    parameters = count_parameters(model)
    matrices = parameters.attention + parameters.mlp
    adamw = parameters.total - (matrices if training.optimizer.kind == "muon" else 0)
    momenta = 8.0 * adamw + 4.0 * (parameters.total - adamw)
    rows = max(512, _CHUNK_LOGITS // (4 * model.vocab_size))
    rows = min(rows, microbatch * model.context_length)
    return {
        "program": float(_PROGRAM),
        "weights": parameters.total * (6.0 if bf16 else 4.0),
        "gradients": parameters.total * (6.0 if bf16 else 4.0),
        "optimiser": momenta,
        "activations": activation_bytes(model, microbatch, bf16=bf16),
        "logits": 2.0 * rows * model.vocab_size * 4,
        "scoring": 8.0 * min(_SCORED_LOGITS, _SCORED_TOKENS * model.vocab_size),
    }


def activation_bytes(model: ModelConfig, microbatch: int, *, bf16: bool) -> float:
    """Return what the backward pass keeps of the forward pass, for one microbatch.

    Per layer and token: the residual stream before both norms and what they give, the product of q,
    k and v, what attention reads and gives, and the MLP's inner values; attention is fused, so that
    no table of context x context is kept.
    """
    width, inner = model.hidden_size, model.resolved_intermediate_size
    queries = model.num_heads * model.resolved_head_dim
    keys = model.resolved_kv_heads * model.resolved_head_dim
    rotated = 0 if model.family == "gpt2" else queries + keys
    inner_values = 2 * inner if model.family == "gpt2" else 3 * inner
    values = 4 * width + 2 * queries + 2 * keys + rotated + inner_values
    tokens = microbatch * model.context_length
    bytes_each = 2 if bf16 else 4
    return _UNDER_WAY * tokens * (model.num_layers * values + 2 * width) * bytes_each


if __name__ == "__main__":
    import sys

    from hanlin.models.presets import resolve_model
    from hanlin.planning.units import size

    shape = resolve_model(ModelConfig(preset=(sys.argv[1:] or ["4m"])[0]), 50_257)
    print(flops_formula(shape))
    for part, value in memory_parts(
        shape, TrainingConfig(steps=1), microbatch=1, bf16=True
    ).items():
        print(f"{part:12} {size(value)}")
