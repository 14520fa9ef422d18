"""`hanlin bench batch|prefill`: how fast many texts are written, and a prompt is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import tyro

from hanlin.cli._command import Common
from hanlin.errors import UserError

if TYPE_CHECKING:
    from hanlin.config import ModelConfig
    from hanlin.generation.measuring import BatchEngine
    from hanlin.models import Decoder

__all__ = ["Batch", "Prefill", "measure_many", "measure_reading"]


@dataclass(frozen=True, kw_only=True)
class Writing(Common):
    """What benchmarks of generation have in common."""

    model: tyro.conf.Positional[Path | None] = None
    """A released folder or a run; a fresh model of the preset without one."""
    preset: str = "14m"
    """A named size, such as 14m, 124m or gpt3-small."""
    weights: Literal["fp32", "bf16", "int8", "int4"] = "fp32"
    """How the weights are held; a quantised folder keeps its own."""
    prompt_tokens: int = 32
    """Tokens of each prompt."""
    rounds: int = 3
    """Rounds of which the median counts; the ways compared take turns in each."""


@dataclass(frozen=True, kw_only=True)
class Batch(Writing):
    """Time many texts written at once: the scheduler, the engine's batch, one at a time."""

    engine: Literal["torch", "native"] = "torch"
    """What computes."""
    rows: tuple[int, ...] = (1, 8, 32)
    """Texts at once."""
    max_tokens: int = 128
    """Tokens written after each prompt."""
    cache_bits: Literal[0, 8] = 0
    """8 lets the scheduler keep keys and values in 8 bits; 0 as the engine does."""
    deterministic: bool = False
    """Whether the scheduler keeps texts independent to the last bit."""


@dataclass(frozen=True, kw_only=True)
class Prefill(Writing):
    """Time the reading of a prompt."""

    preset: str = "gpt3-small"
    """A named size, such as 124m or gpt3-small."""
    prompt_tokens: int = 512
    """Tokens of the prompt."""


def measure_many(options: Batch) -> dict[str, Any]:
    """Measure an engine at each number of texts; return what `hanlin bench batch` prints."""
    from hanlin.config import BatchingConfig
    from hanlin.generation.measuring import measure_batch

    if min(options.max_tokens, *options.rows) < 1:
        raise UserError("Give at least one token to write and one row.")
    name, engine, read, bandwidth = (
        _native(options) if options.engine == "native" else _torch(options)
    )
    batching = BatchingConfig(
        prefix_reuse=False, cache_bits=options.cache_bits, deterministic=options.deterministic
    )
    results = [
        measure_batch(
            engine,
            rows,
            bytes_read=read,
            prompt_tokens=options.prompt_tokens,
            new_tokens=options.max_tokens,
            rounds=options.rounds,
            batching=batching,
        )
        for rows in options.rows
    ]
    for result in results:
        result["share_of_bandwidth"] = result["gigabytes_per_second"] / bandwidth
    return {
        **name,
        "engine": options.engine,
        "max_tokens": options.max_tokens,
        "deterministic": options.deterministic,
        "read_bandwidth": bandwidth,
        "results": results,
    }


def measure_reading(options: Prefill) -> dict[str, Any]:
    """Measure the reading of a prompt; return what `hanlin bench prefill` prints."""
    from hanlin.generation.measuring_torch import measure_prefill

    name, model = _decoder(options)
    speeds = measure_prefill(model, prompt_tokens=options.prompt_tokens, rounds=options.rounds)
    return {**name, **speeds}


_Measured = tuple[dict[str, Any], "BatchEngine", int, float]
"""What is measured in words, the engine, bytes that a pass reads, GB/s that memory gives."""


def _torch(options: Batch) -> _Measured:
    from hanlin.generation import Engine
    from hanlin.generation.measuring import Endless
    from hanlin.generation.measuring_torch import bytes_read, read_bandwidth

    name, model = _decoder(options)
    engine = Engine(model, cast("Any", Endless(model.config.vocab_size)))
    return name, engine, bytes_read(model), read_bandwidth()


def _native(options: Batch) -> _Measured:
    from hanlin.generation.measuring import Endless
    from hanlin.generation.native import NativeEngine, load_core, load_native, random_native
    from hanlin.models import find_release

    if options.model is None:
        model = random_native(_preset(options), weights=options.weights, seed=1)
    else:
        stored = options.weights == "fp32"
        model = load_native(
            find_release(options.model), weights="auto" if stored else options.weights
        )
    name = _name(options, model.config, model.weights, model.core.threads)
    engine = NativeEngine(model, cast("Any", Endless(model.config.vocab_size)))
    bandwidth = load_core().read_bandwidth(400, model.core.threads, 3) / 1e9
    return name, engine, model.core.bytes_per_token, bandwidth


def _decoder(options: Writing) -> tuple[dict[str, Any], Decoder]:
    """Return what is measured, in words, and the model itself."""
    import torch

    from hanlin import api
    from hanlin.models import build_model

    if options.model is not None:
        model = api.load(options.model).decoder
    else:
        model = build_model(_preset(options), seed=1)
    name = _name(options, model.config, options.weights, torch.get_num_threads())
    if options.weights == "bf16":
        model = model.to(torch.bfloat16)
    elif options.weights != "fp32":
        from hanlin.compression import quantise
        from hanlin.config import QuantisationConfig

        bits: Literal[4, 8] = 8 if options.weights == "int8" else 4
        model = quantise(model, QuantisationConfig(bits=bits, table_bits=bits))
    return name, model.eval()


def _preset(options: Writing) -> ModelConfig:
    from hanlin.config import ModelConfig
    from hanlin.models.presets import OWN_VOCABULARIES, resolve_model

    rows = OWN_VOCABULARIES.get(options.preset, 50_257)
    return resolve_model(ModelConfig(preset=options.preset), rows)


def _name(options: Writing, config: ModelConfig, weights: str, threads: int) -> dict[str, Any]:
    from hanlin.models.counting import count_parameters

    if min(options.prompt_tokens, options.rounds) < 1:
        raise UserError("Give at least one token of prompt and one round.")
    if options.prompt_tokens >= config.context_length:
        raise UserError(
            f"prompt_tokens is {options.prompt_tokens}, and the model's context is "
            f"{config.context_length}. Give at most {config.context_length - 1}."
        )
    return {
        "model": str(options.model) if options.model else options.preset,
        "parameters": count_parameters(config).total,
        "weights": weights,
        "threads": threads,
        "prompt_tokens": options.prompt_tokens,
    }
