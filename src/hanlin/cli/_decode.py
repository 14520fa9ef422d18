"""`hanlin bench decode`: how fast one text is written, natively and by torch, in turns.

Writing a token reads all weights once, so that the speed of memory bounds it: the share says how
near to that bound the native engine comes. The bandwidth is measured in the same run, by the same
number of threads, over memory that no cache holds; weights that fit into a cache may pass it.
Tokens a second count the prompt too; the share is that of the median token after it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hanlin.errors import UserError

if TYPE_CHECKING:
    from hanlin.config import ModelConfig
    from hanlin.generation.native import NativeModel
    from hanlin.models import Decoder

__all__ = ["DecodeBench", "measure_decoding"]

Weights = Literal["fp32", "bf16", "int8", "int4"]
Writer = Callable[[], list[float]]
"""Writes one text; returns the seconds to its first token's logits and of each token after."""

_BANDWIDTH_MEGABYTES, _BANDWIDTH_ROUNDS = 400, 3


@dataclass(frozen=True)
class DecodeBench:
    """What is measured."""

    folder: Path | None
    """A released folder; without one, `preset` with random weights."""
    preset: str
    weights: Weights | None
    cache_bits: Literal[0, 8, 16, 32]
    prompt_tokens: int
    max_tokens: int
    rounds: int
    threads: int
    instructions: str
    torch: bool


def measure_decoding(bench: DecodeBench) -> dict[str, Any]:
    """Measure, native and torch in turns; return what `hanlin bench decode` prints.

    Raises:
        UserError: prompt and text do not fit the model's context.
    """
    from hanlin.generation.native import load_core

    model = _native(bench)
    length, context = bench.prompt_tokens + bench.max_tokens, model.config.context_length
    if length > context:
        raise UserError(
            f"{bench.prompt_tokens} tokens of prompt and {bench.max_tokens} written make {length}; "
            f"the model's context is {context}. Ask for fewer."
        )
    prompt = np.random.default_rng(1).integers(0, model.config.vocab_size, bench.prompt_tokens)
    writers: dict[str, Writer] = {"native": _native_writer(model, prompt, bench.max_tokens)}
    if bench.torch:
        decoder = _decoder(bench, model.config)
        writers["torch"] = _torch_writer(decoder, prompt, bench.max_tokens, bench.threads)
    times: dict[str, list[list[float]]] = {name: [] for name in writers}
    bandwidths = []
    for turn in range(bench.rounds + 1):  # the first is not counted
        bandwidths.append(
            load_core().read_bandwidth(_BANDWIDTH_MEGABYTES, bench.threads, _BANDWIDTH_ROUNDS)
        )
        for name, write in writers.items():
            taken = write()
            if turn:
                times[name].append(taken)
    results = {name: _summary(taken) for name, taken in times.items()}
    native = results.pop("native")
    bandwidth = float(np.median(bandwidths)) / 1e9
    read = model.core.bytes_per_token / native["p50_ms"] / 1e6
    return {
        "model": str(bench.folder) if bench.folder else bench.preset,
        "engine": "native",
        "instructions": model.core.instructions,
        "threads": model.core.threads,
        "weights": model.weights,
        "weight_bytes": model.core.weight_bytes,
        "cache_bits": model.session(1).cache_bits,
        "prompt_tokens": bench.prompt_tokens,
        "max_tokens": bench.max_tokens,
        **native,
        "gigabytes_per_second": round(read, 2),
        "read_bandwidth": round(bandwidth, 2),
        "share_of_bandwidth": round(read / bandwidth, 3),
        **results,
    }


def _native(bench: DecodeBench) -> NativeModel:
    from hanlin.generation.native import load_native, random_native

    options: dict[str, Any] = {
        "threads": bench.threads,
        "instructions": bench.instructions,
        "cache_bits": bench.cache_bits,
    }
    if bench.folder is not None:
        return load_native(bench.folder, weights=bench.weights or "auto", **options)
    return random_native(_shape(bench), weights=bench.weights or "fp32", seed=1, **options)


def _shape(bench: DecodeBench) -> ModelConfig:
    from hanlin.config import ModelConfig
    from hanlin.models.presets import OWN_VOCABULARIES, resolve_model

    return resolve_model(
        ModelConfig(preset=bench.preset), OWN_VOCABULARIES.get(bench.preset, 50_257)
    )


def _decoder(bench: DecodeBench, config: ModelConfig) -> Decoder:
    """Return the same shape for torch, its weights of as many bits."""
    import torch

    from hanlin.models import build_model, load_release

    if bench.folder is not None:
        return load_release(bench.folder, expansion="")
    model = build_model(config, seed=1)
    if bench.weights == "bf16":
        return model.to(torch.bfloat16).eval()
    if bench.weights in ("int8", "int4"):
        from hanlin.compression.quantising import quantise
        from hanlin.config import QuantisationConfig

        bits: Literal[4, 8] = 8 if bench.weights == "int8" else 4
        return quantise(model, QuantisationConfig(bits=bits, table_bits=bits))
    return model.eval()


def _native_writer(model: NativeModel, prompt: Any, count: int) -> Writer:
    def write() -> list[float]:
        session, ids, times = model.session(len(prompt) + count), prompt, []
        for _ in range(count):
            start = time.perf_counter()
            token = int(session.read(ids).argmax())
            times.append(time.perf_counter() - start)
            ids = np.array([token])
        return times

    return write


def _torch_writer(model: Decoder, prompt: Any, count: int, threads: int) -> Writer:
    import torch

    @torch.inference_mode()
    def write() -> list[float]:
        torch.set_num_threads(threads)
        cache = model.new_cache(1, len(prompt) + count)
        ids, times = torch.from_numpy(prompt)[None], []
        for _ in range(count):
            start = time.perf_counter()
            ids = model.head(model.hidden(ids, cache=cache)[:, -1:]).argmax(-1)
            times.append(time.perf_counter() - start)
        return times

    return write


def _summary(rounds: Sequence[Sequence[float]]) -> dict[str, Any]:
    first = float(np.median([times[0] for times in rounds]))
    steps = np.concatenate([times[1:] for times in rounds])
    whole = [len(times) / sum(times) for times in rounds]
    return {
        "tokens_per_second": round(float(np.median(whole)), 1),
        "slowest": round(min(whole), 1),
        "fastest": round(max(whole), 1),
        "p50_ms": round(float(np.percentile(steps, 50)) * 1e3, 3),
        "p99_ms": round(float(np.percentile(steps, 99)) * 1e3, 3),
        "first_token_ms": round(first * 1e3, 3),
    }
