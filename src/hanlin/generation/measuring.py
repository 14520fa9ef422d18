"""How fast an engine writes many texts at once.

Ways that are compared run in turns, so that whatever else the machine does meets them all. Texts
are greedy and of fixed length, with no end token, so that every way does the same work:

- `scheduler`: all requests at once to a `Scheduler` with room for them;
- `generate_batch`: the engine's own batch, padded on the left;
- `one_at_a_time`: the same engine, a text after the other (four at most, since the speed is one
  text's).

`uneven` gives the scheduler and the engine three times as many requests as run at once, of one to
`new_tokens` tokens. The engine takes them in batches as they come, each of which runs until its
longest text ends; tokens beyond what was asked count for nothing.

    python -m hanlin.generation.measuring
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, Protocol, cast

from hanlin.config import BatchingConfig, SamplingConfig
from hanlin.generation.draft import Completion
from hanlin.generation.prompts import Prompt
from hanlin.generation.scheduler import Scheduler
from hanlin.generation.texts import Writer
from hanlin.tokenizers import Tokenizer

__all__ = ["BatchEngine", "Endless", "alternate", "measure_batch", "random_prompts"]

_ALONE = 4


class BatchEngine(Writer, Protocol):
    """Either engine."""

    tokenizer: Tokenizer

    def generate(self, prompt: Prompt, sampling: SamplingConfig) -> Completion:
        """Return a continuation."""

    def generate_batch(
        self, prompts: Sequence[Prompt], sampling: SamplingConfig
    ) -> list[Completion]:
        """Return a continuation of each prompt, all written at once."""


class Endless:
    """A tokenizer for texts that are never looked at and never end."""

    kind = "endless"
    eot_id = -1

    def __init__(self, vocab_size: int) -> None:
        """Have so many tokens."""
        self.vocab_size = vocab_size
        self.control: dict[str, int] = {}

    def token_bytes(self, id: int) -> bytes:
        """Return nothing."""
        return b""


def measure_batch(
    engine: BatchEngine,
    batch: int,
    *,
    bytes_read: int,
    prompt_tokens: int = 32,
    new_tokens: int = 128,
    rounds: int = 3,
    batching: BatchingConfig | None = None,
) -> dict[str, Any]:
    """Return tokens a second of each way (median of the rounds), and how long tokens take.

    The engine's tokenizer is an `Endless` one; a pass over the weights reads `bytes_read`.
    """
    prompts = random_prompts(batch, prompt_tokens, engine.tokenizer.vocab_size)
    config = _config(batch, prompt_tokens + new_tokens, batching)
    details: dict[str, Any] = {}
    speeds = alternate(_even(engine, config, prompts, new_tokens, details), rounds)
    passes = speeds["scheduler"] / batch  # a second
    return {
        "batch": batch,
        "tokens_per_second": speeds["scheduler"],
        "generate_batch": speeds["generate_batch"],
        "one_at_a_time": speeds["one_at_a_time"],
        "uneven": alternate(_uneven(engine, config, prompts, new_tokens), rounds),
        "gigabytes_per_second": bytes_read * passes / 1e9,
        **details,
    }


def _even(
    engine: BatchEngine,
    config: BatchingConfig,
    prompts: list[list[int]],
    new_tokens: int,
    details: dict[str, Any],
) -> dict[str, Callable[[], int]]:
    """Return the ways to write texts of one length, each of which returns its tokens.

    What the scheduler says of single tokens is put into `details`.
    """
    batch, greedy = len(prompts), _greedy(new_tokens)

    def scheduled() -> int:
        details.update(_write(engine, config, prompts, [new_tokens] * batch))
        return new_tokens * batch

    def batched() -> int:
        engine.generate_batch(prompts, greedy)
        return new_tokens * batch

    def alone() -> int:
        for prompt in prompts[:_ALONE]:
            engine.generate(prompt, greedy)
        return new_tokens * min(batch, _ALONE)

    return {"scheduler": scheduled, "generate_batch": batched, "one_at_a_time": alone}


def _uneven(
    engine: BatchEngine, config: BatchingConfig, prompts: list[list[int]], new_tokens: int
) -> dict[str, Callable[[], int]]:
    """Return the ways to write three times as many texts, of 1 to `new_tokens` tokens each."""
    batch = len(prompts)
    lengths = [random.Random(row).randint(1, new_tokens) for row in range(3 * batch)]

    def scheduled() -> int:
        _write(engine, config, prompts * 3, lengths)
        return sum(lengths)

    def batched() -> int:
        for first in range(0, len(lengths), batch):
            engine.generate_batch(prompts, _greedy(max(lengths[first : first + batch])))
        return sum(lengths)

    return {"scheduler": scheduled, "generate_batch": batched}


def _greedy(max_tokens: int) -> SamplingConfig:
    return SamplingConfig(temperature=0, max_tokens=max_tokens, seed=0)


def _write(
    engine: BatchEngine,
    config: BatchingConfig,
    prompts: Sequence[list[int]],
    lengths: Sequence[int],
) -> dict[str, float]:
    """Write all texts with a new scheduler; return how long steps and first tokens took."""
    scheduler = Scheduler(engine, config)
    jobs = [
        scheduler.submit(prompt, SamplingConfig(temperature=0, max_tokens=length, seed=0))
        for prompt, length in zip(prompts, lengths, strict=True)
    ]
    steps: list[float] = []
    while scheduler.busy:
        start = time.perf_counter()
        scheduler.step()
        steps.append((time.perf_counter() - start) * 1e3)
    firsts = sorted(job.first_token - job.arrived for job in jobs if job.first_token is not None)
    steps.sort()
    return {
        "p50_ms": steps[len(steps) // 2],
        "p99_ms": steps[int(0.99 * (len(steps) - 1))],
        "first_token_ms": firsts[len(firsts) // 2] * 1e3,
    }


def alternate(ways: dict[str, Callable[[], int]], rounds: int) -> dict[str, float]:
    """Return the median tokens a second of each way, run in turns."""
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            tokens = way()
            speeds[name].append(tokens / (time.perf_counter() - start))
    return {name: median(values) for name, values in speeds.items()}


def _config(batch: int, tokens: int, asked: BatchingConfig | None) -> BatchingConfig:
    """Return the settings with room for `batch` texts of `tokens` tokens, and for their queue."""
    base = asked or BatchingConfig(prefix_reuse=False)
    room = {
        "cache_tokens": batch * (tokens + base.block_tokens),
        "max_running": batch,
        "max_waiting": 3 * batch,
    }
    if base.step_tokens:
        room["step_tokens"] = max(base.step_tokens, batch + base.block_tokens)
    return BatchingConfig(**{**base.model_dump(), **room})


def random_prompts(count: int, length: int, vocab_size: int) -> list[list[int]]:
    """Return prompts of random tokens, the same each time."""
    rng = random.Random(0)
    return [[rng.randrange(vocab_size) for _ in range(length)] for _ in range(count)]


if __name__ == "__main__":
    from hanlin.config import ModelConfig
    from hanlin.generation.native import NativeEngine, random_native
    from hanlin.models import resolve_model

    tiny = random_native(resolve_model(ModelConfig(preset="1m"), 2048), weights="int8", seed=1)
    fast = NativeEngine(tiny, cast("Any", Endless(2048)))
    print(measure_batch(fast, 8, bytes_read=tiny.core.bytes_per_token, new_tokens=16))
