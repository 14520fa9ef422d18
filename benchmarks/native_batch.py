"""Tokens a second of many texts stepped together in the native engine, decoding alone.

    OMP_NUM_THREADS=1 python benchmarks/native_batch.py int8 --batches 1 8 32

Beside it, `llama-batched-bench -npp 32 -ntg 16 -npl 1,8,32` of llama.cpp over a file of as many
bits.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from hanlin.config import ModelConfig
from hanlin.generation.native import random_native
from hanlin.models import resolve_model

_PROMPT, _STEPS = 32, 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", choices=["fp32", "bf16", "int8", "int4"])
    parser.add_argument("--preset", default="gpt3-small")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    config = resolve_model(ModelConfig(preset=given.preset), 50_257)
    model = random_native(config, weights=given.weights, seed=1, threads=given.threads)
    for batch in given.batches:
        sessions = [model.session(_PROMPT + _STEPS) for _ in range(batch)]
        for row, session in enumerate(sessions):
            session.read(np.arange(row, row + _PROMPT))
        tokens, times = np.arange(batch), []
        for _ in range(_STEPS):
            start = time.perf_counter()
            logits = model.core.read(sessions, tokens, [1] * batch, [True] * batch)
            times.append(time.perf_counter() - start)
            tokens = np.asarray(logits).argmax(-1)
        print(f"{given.weights} {batch:>3} texts: {batch / statistics.median(times):.0f} tokens/s")


if __name__ == "__main__":
    main()
