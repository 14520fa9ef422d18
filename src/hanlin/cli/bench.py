"""`hanlin bench train|decode|data|batch|prefill|serve`: how fast this machine trains and writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from hanlin.cli._command import Common, parse_one_of, show
from hanlin.cli._load import Serve, measure_serving
from hanlin.cli._writing import Batch, Prefill, measure_many, measure_reading
from hanlin.errors import UserError

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Train(Common):
    """Time training steps of a preset on random tokens."""

    preset: str = "14m"
    """A named size, such as 4m, 14m or gpt3-small."""
    steps: int = 8
    """Steps to time, after two that are not counted."""
    rows: int = 16
    """Sequences a step."""
    context_length: int = 256
    """Tokens a sequence."""


@dataclass(frozen=True, kw_only=True)
class Decode(Common):
    """Time the writing of one text by the native engine, with torch beside it."""

    model: tyro.conf.Positional[Path | None] = None
    """A released folder or a run; without one, --preset with random weights."""
    preset: str = "14m"
    """A named size, such as 14m, 124m or gpt3-small."""
    weights: Literal["fp32", "bf16", "int8", "int4"] | None = None
    """How weights are held; left out, as the folder stores them (fp32 for a preset)."""
    cache_bits: Literal[0, 8, 16, 32] = 0
    """Bits of each key and value that is kept; 0 takes 32 with weights of fp32, otherwise 16."""
    prompt_tokens: int = 32
    """Tokens read before the first is written."""
    max_tokens: int = 128
    """Tokens written."""
    rounds: int = 5
    """Texts to time, after one that is not counted; torch and bandwidth take turns with it."""
    threads: int = 0
    """Threads; 0 takes OMP_NUM_THREADS, or every core."""
    instructions: str = "auto"
    """The instruction set, such as avx512vnni, avx512, avx2 or portable; auto takes
    HANLIN_INSTRUCTIONS, or the fastest that this machine has."""
    torch: bool = True
    """Whether torch is measured too."""


@dataclass(frozen=True, kw_only=True)
class Data(Common):
    """Time cleaning and encoding of text files."""

    text: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Files or folders of text; the toy world without any."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    kinds = {
        "train": Train,
        "decode": Decode,
        "data": Data,
        "batch": Batch,
        "prefill": Prefill,
        "serve": Serve,
    }
    example = "hanlin bench train --preset 4m --json"
    options = parse_one_of(kinds, "bench", arguments, example=example)
    works: dict[type[Common], Callable[[Any], dict[str, Any]]] = {
        Train: _train,
        Decode: _decode,
        Data: _data,
        Batch: measure_many,
        Prefill: measure_reading,
        Serve: measure_serving,
    }
    result = works[type(options)](options)
    show(options, result, "\n".join(f"{key:<24} {value}" for key, value in result.items()))
    return 0


def _train(options: Train) -> dict[str, Any]:
    import tempfile

    import numpy as np

    from hanlin.config import ModelConfig, TrainingConfig
    from hanlin.models import build_model, count_parameters, resolve_model
    from hanlin.objectives import NextToken
    from hanlin.records import read_jsonl
    from hanlin.training import train

    asked = ModelConfig(preset=options.preset, context_length=options.context_length)
    config = resolve_model(asked, 8192)
    shape = (options.rows, options.context_length + 1)

    class RandomBatches:
        def batch(self, step: int, rank: int, world_size: int) -> Any:
            return np.random.default_rng(step).integers(100, 8192, shape, dtype=np.int32)

    training = TrainingConfig(
        steps=options.steps + 2, batch_tokens=options.rows * options.context_length, log_every=1
    )
    with tempfile.TemporaryDirectory() as folder:
        model = build_model(config, seed=1)
        train(model, NextToken(), RandomBatches(), training, folder=Path(folder), seed=1)
        lines = [r for r in read_jsonl(Path(folder) / "metrics.jsonl") if r["kind"] == "train"]
    speeds = sorted(line["time"]["tokens_per_second"] for line in lines[2:])
    return {
        "preset": options.preset,
        "parameters": count_parameters(config).total,
        "tokens_per_second": speeds[len(speeds) // 2],
        "slowest": speeds[0],
        "fastest": speeds[-1],
        "mfu": lines[-1]["time"]["mfu"],
    }


def _decode(options: Decode) -> dict[str, Any]:
    from hanlin.cli._decode import DecodeBench, measure_decoding
    from hanlin.generation.native import default_threads
    from hanlin.models import find_release

    if min(options.prompt_tokens, options.max_tokens - 1, options.rounds) < 1:
        raise UserError("Give at least one token of prompt, two to write and one round.")
    return measure_decoding(
        DecodeBench(
            folder=None if options.model is None else find_release(options.model),
            preset=options.preset,
            weights=options.weights,
            cache_bits=options.cache_bits,
            prompt_tokens=options.prompt_tokens,
            max_tokens=options.max_tokens,
            rounds=options.rounds,
            threads=options.threads or default_threads(),
            instructions=options.instructions,
            torch=options.torch,
        )
    )


def _data(options: Data) -> dict[str, Any]:
    import tempfile

    from hanlin.config import CorpusConfig, SourceConfig, WorldConfig
    from hanlin.text import build_corpus, iterate_documents
    from hanlin.tokenizers import train_tokenizer

    sources = tuple(SourceConfig(path=str(path.absolute())) for path in options.text)
    world = SourceConfig(name="world", world=WorldConfig(stories=10_000))
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        config = CorpusConfig(sources=sources or (world,))
        manifest = build_corpus(config, Path(folder), base=Path.cwd())
        cleaned = time.monotonic()
        texts = [d.text for d in iterate_documents(Path(folder), "main", "train")]
        tokenizer = train_tokenizer("bpe", texts, 4096)
        trained = time.monotonic()
        tokens = sum(len(ids) for ids in tokenizer.encode_batch(texts))
        encoded = time.monotonic()
    megabytes = sum(part.bytes() for part in manifest.parts.values()) / 1e6
    return {
        "megabytes": round(megabytes, 2),
        "clean_megabytes_per_second": round(megabytes / (cleaned - start), 2),
        "train_tokenizer_seconds": round(trained - cleaned, 2),
        "encode_tokens_per_second": round(tokens / (encoded - trained)),
    }
