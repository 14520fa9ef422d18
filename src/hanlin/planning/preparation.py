"""What surrounds training, measured on a sample: the tokenizer, encoding, the n-gram baseline and
the search for copied text, in a process of its own.

Each is done on half of the sample and on all of it, so that what it costs to begin with and what a
further megabyte costs are told apart.

    python -m hanlin.planning.preparation                       (the process that is started)
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hanlin.config import EvaluationConfig, TokenizerConfig
from hanlin.errors import HanlinError

__all__ = ["Preparation", "Trend", "probe_preparation"]


_SAMPLE_CHARACTERS = 600


@dataclass(frozen=True, slots=True)
class Trend:
    """Seconds and bytes of memory, as a beginning and as what each further unit adds."""

    seconds: float
    seconds_a_unit: float
    memory: float
    memory_a_unit: float

    def time(self, units: float) -> float:
        """Return the seconds for so many units."""
        return self.seconds + self.seconds_a_unit * units

    def peak(self, units: float) -> float:
        """Return the bytes for so many units, on top of the program."""
        return self.memory + self.memory_a_unit * units


@dataclass(frozen=True, slots=True)
class Preparation:
    """What was measured; units are bytes of text, and tokens for the n-gram model."""

    tokenizer: Trend
    bytes_per_token: float
    encode_bytes_per_second: float
    ngram: Trend
    ngram_tokens_per_second: float
    novelty_bytes_per_second: float
    program: float
    """Resident size with everything imported and nothing done."""


def probe_preparation(
    text: Sequence[str], tokenizer: TokenizerConfig, evaluation: EvaluationConfig
) -> Preparation:
    """Measure on sampled texts what comes before and after training.

    Raises:
        HanlinError: the process failed.
    """
    task = {
        "text": list(text),
        "tokenizer": tokenizer.model_dump(mode="json"),
        "order": evaluation.ngram_order,
    }
    finished = subprocess.run(
        [sys.executable, "-m", "hanlin.planning.preparation"],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        reason = finished.stderr.strip().splitlines()[-1:] or ["it was killed"]
        raise HanlinError(
            f"The probe of the preparation ended with code {finished.returncode}: {reason[0]}. "
            "Plan by formula with: hanlin plan --no-probe."
        )
    table = json.loads(finished.stdout.splitlines()[-1])
    trends = {name: Trend(**table.pop(name)) for name in ("tokenizer", "ngram")}
    return Preparation(**trends, **table)


def _measure(task: dict[str, Any]) -> Preparation:
    """Do the measurements in this process."""
    from hanlin.evaluation import measure_novelty
    from hanlin.models.ngram import KneserNey
    from hanlin.planning.machine import resident_memory

    texts: list[str] = task["text"]
    program = float(resident_memory())
    tokenizer, trained = _measure_tokenizer(texts, TokenizerConfig(**task["tokenizer"]))
    size = _size(texts)
    began = time.perf_counter()
    ids = tokenizer.encode_batch(texts)
    encode = size / _elapsed(began)
    tokens = sum(map(len, ids))
    ngram, score = Trend(0.0, 0.0, 0.0, 0.0), float("inf")
    if task["order"]:
        counted: list[tuple[float, float, float]] = []
        for part in (ids[: len(ids) // 2], ids):
            model, seconds, memory = _watch(
                lambda part=part: KneserNey.fit(part, task["order"], tokenizer.vocab_size)
            )
            counted.append((float(sum(map(len, part))), seconds, memory))
        ngram = _trend(*counted)
        began = time.perf_counter()
        model.score(ids[: max(1, len(ids) // 4)])
        score = sum(map(len, ids[: max(1, len(ids) // 4)])) / _elapsed(began)
    began = time.perf_counter()
    measure_novelty({"sample": [text[:_SAMPLE_CHARACTERS] for text in texts[:40]]}, texts)
    novelty = size / _elapsed(began)
    return Preparation(trained, size / max(1, tokens), encode, ngram, score, novelty, program)


def _measure_tokenizer(texts: list[str], config: TokenizerConfig) -> tuple[Any, Trend]:
    from hanlin.tokenizers import load_tokenizer, train_tokenizer

    if config.path:
        return load_tokenizer(Path(config.path)), Trend(0.0, 0.0, 0.0, 0.0)
    vocab_size = _supported(texts[: len(texts) // 2], config)
    points: list[tuple[float, float, float]] = []
    for part in (texts[: len(texts) // 2], texts):
        tokenizer, seconds, memory = _watch(
            lambda part=part: train_tokenizer(config.kind, part, vocab_size)
        )
        points.append((_size(part), seconds, memory))
    return tokenizer, _trend(*points)


def _supported(texts: list[str], config: TokenizerConfig) -> int:
    """Return the vocabulary, or a smaller one where the sample has too little text for it."""
    return max(400, min(config.vocab_size, int(_size(texts) / 60)))


def _watch(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return what a piece of work gives, its seconds, and the memory that it took at its peak."""
    from hanlin.planning.machine import forget_peak, peak_memory, resident_memory

    forget_peak()
    before = resident_memory()
    began = time.perf_counter()
    result = work()
    return result, _elapsed(began), float(max(0, peak_memory() - before))


def _trend(small: tuple[float, float, float], large: tuple[float, float, float]) -> Trend:
    """Draw lines through two measurements (units, seconds, memory); nothing shrinks with size."""
    units = max(1.0, large[0] - small[0])
    slopes = [max(0.0, (large[place] - small[place]) / units) for place in (1, 2)]
    # A line through noise may begin below zero; it is then drawn through the origin.
    for place in (0, 1):
        if large[place + 1] - slopes[place] * large[0] < 0:
            slopes[place] = large[place + 1] / max(1.0, large[0])
    starts = [max(0.0, large[place + 1] - slopes[place] * large[0]) for place in (0, 1)]
    return Trend(starts[0], slopes[0], starts[1], slopes[1])


def _size(texts: Sequence[str]) -> float:
    return float(sum(len(text.encode("utf-8")) for text in texts))


def _elapsed(began: float) -> float:
    return max(1e-6, time.perf_counter() - began)


if __name__ == "__main__":
    print(json.dumps(asdict(_measure(json.load(sys.stdin)))))
