"""Processor time in which the native engine reads a prompt and a token after it, one thread.

    python benchmarks/native_reading.py int8 --preset 14m --prompt-tokens 230
    PYTHONPATH=OTHER/src python benchmarks/native_reading.py int8 --preset 14m --prompt-tokens 230

The second line measures another checkout with its own compiled core: let the two take turns. The
fastest of some readings counts, since a shared machine only ever adds to them.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hanlin.config import ModelConfig
from hanlin.generation.native import random_native
from hanlin.models import resolve_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", choices=["fp32", "bf16", "int8", "int4"])
    parser.add_argument("--preset", default="gpt3-small")
    parser.add_argument("--prompt-tokens", type=int, default=512)
    parser.add_argument("--tokens", type=int, default=20, help="read one by one after the prompt")
    parser.add_argument("--rounds", type=int, default=4)
    given = parser.parse_args()
    config = resolve_model(ModelConfig(preset=given.preset), 8192)
    model = random_native(config, weights=given.weights, seed=1, threads=1)
    prompts, tokens = [], []
    for _ in range(given.rounds):
        session = model.session(given.prompt_tokens + given.tokens)
        prompts.append(_seconds(session, np.arange(given.prompt_tokens)))
        tokens += [_seconds(session, np.array([token])) for token in range(given.tokens)]
    print(
        f"{given.preset} {given.weights}: {given.prompt_tokens} tokens "
        f"{1e3 * min(prompts):.1f} ms, a token after them {1e3 * min(tokens):.3f} ms"
    )


def _seconds(session: Any, ids: NDArray[np.integer[Any]]) -> float:
    start = time.process_time()
    session.read(ids)
    return time.process_time() - start


if __name__ == "__main__":
    main()
