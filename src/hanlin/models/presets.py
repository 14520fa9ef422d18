"""Named sizes of decoders, and how a recipe's `[model]` becomes a complete shape.

Our own sizes, `1m` to `350m`, fix width, depth, heads and context, and hold for every family; their
names count all parameters of the qwen3 family with tied embeddings and the vocabulary in the table
(a small model with a large vocabulary is mostly embedding). The eight sizes of GPT-3 (Brown et
al. 2020, arXiv 2005.14165, table 2.1) are gpt2-family models with 2,048 tokens of context. Two of
that table's rows contradict themselves, and are built as follows:

- XL prints 24 heads of 128, which is 3,072 and not its width of 2,048; here it has 16 heads.
- 13B prints a width of 5,140, which 40 heads of 128 do not make; here it is 5,120.

GPT-3 alternates dense and banded layers; `attention = "banded"` does so here.

    python -m hanlin.models.presets
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from hanlin.config import ModelConfig
from hanlin.errors import ModelError

__all__ = ["OWN_VOCABULARIES", "PRESETS", "ROW_MULTIPLE", "resolve_model"]

ROW_MULTIPLE = 64
"""Embedding rows are padded to this multiple, which matrix kernels favour."""

OWN_VOCABULARIES = {
    "1m": 2048,
    "2m": 4096,
    "4m": 4096,
    "8m": 8192,
    "14m": 8192,
    "30m": 8192,
    "60m": 16_384,
    "124m": 50_304,
    "350m": 50_304,
}
"""The vocabulary with which each of our own sizes counts its parameters."""


def _own(layers: int, width: int, heads: int, context: int) -> dict[str, Any]:
    return {
        "num_layers": layers,
        "hidden_size": width,
        "num_heads": heads,
        "context_length": context,
    }


def _gpt3(layers: int, width: int, heads: int) -> dict[str, Any]:
    return {"family": "gpt2", "norm_eps": 1e-5, **_own(layers, width, heads, 2048)}


PRESETS: dict[str, dict[str, Any]] = {
    "1m": _own(4, 128, 4, 256),
    "2m": _own(4, 160, 5, 256),
    "4m": _own(4, 256, 4, 256),
    "8m": _own(6, 288, 6, 256),
    "14m": _own(6, 384, 6, 256),
    "30m": _own(8, 512, 8, 512),
    "60m": _own(10, 640, 10, 512),
    "124m": _own(12, 768, 12, 1024),
    "350m": _own(24, 1024, 16, 1024),
    "gpt3-small": _gpt3(12, 768, 12),
    "gpt3-medium": _gpt3(24, 1024, 16),
    "gpt3-large": _gpt3(24, 1536, 16),
    "gpt3-xl": _gpt3(24, 2048, 16),
    "gpt3-2.7b": _gpt3(32, 2560, 32),
    "gpt3-6.7b": _gpt3(32, 4096, 32),
    "gpt3-13b": _gpt3(40, 5120, 40),
    "gpt3-175b": _gpt3(96, 12_288, 96),
}
"""What each preset fills in; a value that the recipe gives itself is never overruled."""


def resolve_model(config: ModelConfig, vocab_size: int) -> ModelConfig:
    """Return the complete shape for a tokenizer of `vocab_size` entries.

    The preset fills in what `config` leaves out, zeros take their defaults, and the embedding gets
    a row for each entry, padded to a multiple of 64. Padding rows are ordinary rows to the loss (so
    that it is the loss of the released folder, in any program) and are never drawn in generation.

    Raises:
        ModelError: if the preset is unknown, the shape is impossible, or rows are too few.
    """
    fields = {name: getattr(config, name) for name in config.model_fields_set}
    if config.preset and config.preset not in PRESETS:
        raise ModelError(
            f"The preset {config.preset!r} does not exist. Take one of: {', '.join(PRESETS)}."
        )
    fields = {**PRESETS.get(config.preset, {}), **fields}
    rows = config.vocab_size or -(-vocab_size // ROW_MULTIPLE) * ROW_MULTIPLE
    if rows < vocab_size:
        raise ModelError(
            f"vocab_size {rows} of the model is below the tokenizer's {vocab_size}. "
            "Leave vocab_size out of [model], or train a smaller tokenizer."
        )
    try:
        shape = ModelConfig(**{**fields, "preset": "", "vocab_size": rows})
    except ValidationError as error:
        reasons = "; ".join(detail["msg"] for detail in error.errors())
        raise ModelError(
            f"The preset {config.preset!r} does not fit the other values of [model]: {reasons}."
        ) from error
    return ModelConfig(
        **{
            **shape.model_dump(),
            "num_kv_heads": shape.resolved_kv_heads,
            "head_dim": shape.resolved_head_dim,
            "intermediate_size": shape.resolved_intermediate_size,
        }
    )


if __name__ == "__main__":
    from hanlin.models.counting import count_parameters

    for preset in PRESETS:
        size = count_parameters(
            resolve_model(ModelConfig(preset=preset), OWN_VOCABULARIES.get(preset, 50_257))
        )
        print(f"{preset:12} {size.total:>16,} parameters")
