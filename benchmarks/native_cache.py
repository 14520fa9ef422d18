"""How fast the native engine writes after short and long texts, its cache in 32, 16 or 8 bits.

    taskset -c 1 python benchmarks/native_cache.py int8 --contexts 32 1000

One model, one thread; caches take turns, a few tokens each, so that whatever else the machine does
meets them all. Seconds are of the processor, which others on a shared machine only slow by the
memory and the caches that they take. A row is the median of the rounds' medians with the lowest
and highest of them, and how far the logits are from those of the cache in 32 bits, in parts of the
largest.
"""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import Any

import numpy as np

from hanlin.config import ModelConfig
from hanlin.generation.native import NativeModel, random_native
from hanlin.models import resolve_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", nargs="+", choices=["fp32", "bf16", "int8", "int4"])
    parser.add_argument("--preset", default="gpt3-small")
    parser.add_argument("--contexts", type=int, nargs="+", default=[32, 1000])
    parser.add_argument("--caches", type=int, nargs="+", default=[32, 16, 8])
    parser.add_argument("--tokens", type=int, default=12, help="written in a round")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    config = resolve_model(ModelConfig(preset=given.preset), 50_257)
    for weights in given.weights:
        model = random_native(config, weights=weights, seed=1, threads=1)
        for context in given.contexts:
            for line in measure(model, context, given):
                print(f"{given.preset} {weights} after {context:>5}, {line}", flush=True)


def measure(model: NativeModel, context: int, given: argparse.Namespace) -> list[str]:
    """Return a line for each cache."""
    rng = np.random.default_rng(1)
    prompt = rng.integers(0, model.config.vocab_size, context)
    following = rng.integers(0, model.config.vocab_size, given.tokens)
    sessions = {bits: model.session(context + given.tokens, bits) for bits in given.caches}
    reading = {bits: _seconds(session, prompt) for bits, session in sessions.items()}
    times: dict[int, list[float]] = {bits: [] for bits in sessions}
    logits = {}
    for _ in range(given.rounds):
        for bits, session in sessions.items():
            session.rewind(context)
            steps = [_seconds(session, token) for token in following[:-1]]
            logits[bits] = session.read(following[-1:])
            times[bits].append(median(steps))
    exact = logits[max(logits)]
    return [
        f"{bits:>2} bits: {1 / median(found):6.1f} tokens/s "
        f"({1 / max(found):.1f} to {1 / min(found):.1f}), "
        f"{sessions[bits].bytes / 1e6:.0f} MB, prompt {reading[bits]:.2f} s, "
        f"gap {np.abs(logits[bits] - exact).max() / np.abs(exact).max():.1e}"
        for bits, found in times.items()
    ]


def _seconds(session: Any, ids: Any) -> float:
    start = time.process_time()
    session.read(np.atleast_1d(ids))
    return time.process_time() - start


if __name__ == "__main__":
    main()
