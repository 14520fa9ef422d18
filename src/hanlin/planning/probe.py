"""What training really takes here: a few steps of the very model at the very batch, in a process
of its own, so that its memory is told apart from everything else's.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hanlin.config import ModelConfig, TrainingConfig
from hanlin.planning.apart import measure_apart

__all__ = ["Speed", "measure_training", "probe_training"]

_SECONDS = 8.0
_LEAST_STEPS = 3
_MOST_STEPS = 12
_SCORED_TOKENS = 16_384
_WRITTEN_TOKENS = 16
_ROWS = 16
_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Speed:
    """What a model did on this machine."""

    step_seconds: float
    """Median time of an optimiser step."""
    steps: int
    """Steps that were timed."""
    score_tokens_per_second: float
    """Held-out tokens scored in a second."""
    decode_seconds: float
    """Time to write the next token of one text."""
    decode_row_seconds: float
    """What each further text adds to that, where several are written together."""
    peak_bytes: float
    """Largest resident size of the process."""
    weight_bytes: float
    context_length: int
    microbatch: int
    placement: str
    peak_flops: float
    """Operations a second of a large matrix product, measured in the same process."""
    step_flops: float
    """Operations of one step."""

    @property
    def flops_per_second(self) -> float:
        """Operations a second that training reached."""
        return self.step_flops / self.step_seconds


def probe_training(
    model: ModelConfig,
    training: TrainingConfig,
    *,
    document_tokens: int = 400,
    seconds: float = _SECONDS,
) -> Speed:
    """Train a resolved model on random tokens for a few steps in a fresh process.

    Args:
        model: the complete shape.
        training: the batch, the optimiser and the precision; its length is not kept.
        document_tokens: tokens of a typical held-out document, which scoring cuts into windows.
        seconds: time for the steps; at least three are done.

    Raises:
        HanlinError: the process failed, for want of memory as a rule.
    """
    task = {
        "model": model.model_dump(mode="json"),
        "training": training.model_dump(mode="json"),
        "document_tokens": document_tokens,
        "seconds": seconds,
    }
    return Speed(**measure_apart("training", task))


def measure_training(task: dict[str, Any]) -> Speed:
    """Do the measurement in this process, whose memory is measured too."""
    import numpy as np
    import torch

    from hanlin.models import build_model, flops_per_token
    from hanlin.objectives import NextToken
    from hanlin.planning.machine import peak_memory
    from hanlin.training import World, choose_placement, keep_buffers, measure_peak_flops
    from hanlin.training.step import Stepper, choose_microbatch

    shape, training = ModelConfig(**task["model"]), TrainingConfig(**task["training"])
    keep_buffers()
    model = build_model(shape, seed=0)
    placement = choose_placement("auto", training.precision)
    length = shape.context_length
    num_rows = max(1, training.batch_tokens // length)
    microbatch = training.microbatch or choose_microbatch(model, num_rows, length)
    stepper = Stepper(model, NextToken(), training, placement, World(), 0, microbatch)
    model.train()
    draw = np.random.default_rng(0)
    rows = draw.integers(0, shape.vocab_size, (num_rows, length + 1), dtype=np.int32)
    times = _repeat(lambda step: stepper.run(step, rows), task["seconds"])
    stepper.state_dict()
    score = _time_scoring(model, task["document_tokens"], draw)
    one, many = (_time_decoding(model, rows) for rows in (1, _ROWS))
    gpu = placement.device.type == "cuda"
    memory = torch.cuda.max_memory_allocated() if gpu else peak_memory()
    return Speed(
        step_seconds=statistics.median(times),
        steps=len(times),
        score_tokens_per_second=score,
        decode_seconds=one,
        decode_row_seconds=max(0.0, many - one) / (_ROWS - 1),
        peak_bytes=float(memory),
        weight_bytes=4.0 * sum(weight.numel() for weight in model.parameters()),
        context_length=length,
        microbatch=microbatch,
        placement=str(placement),
        peak_flops=measure_peak_flops(placement),
        step_flops=float(num_rows * length * flops_per_token(shape)),
    )


def _repeat(work: Callable[[int], object], seconds: float) -> list[float]:
    """Time a piece of work again and again; the first time, which warms up, does not count."""
    work(0)
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < _MOST_STEPS:
        before = time.perf_counter()
        work(len(times) + 1)
        times.append(time.perf_counter() - before)
        elapsed = time.perf_counter() - began
        if elapsed > seconds and (len(times) >= _LEAST_STEPS or elapsed > _PATIENCE):
            break
    return times


def _time_scoring(model: Any, document_tokens: int, draw: Any) -> float:
    from hanlin.evaluation.decoder_scorer import DecoderScorer

    count = max(1, _SCORED_TOKENS // document_tokens)
    documents = draw.integers(0, model.config.vocab_size, (count, document_tokens))
    scorer = DecoderScorer(model.eval())
    began = time.perf_counter()
    scorer.score(list(documents))
    return float(documents.size) / (time.perf_counter() - began)


def _time_decoding(model: Any, rows: int) -> float:
    """Time one more token of each of `rows` texts, drawn from the sorted probabilities."""
    import torch

    count = int(min(_WRITTEN_TOKENS, model.config.context_length - 2))
    with torch.inference_mode():
        cache = model.new_cache(rows, count + 1)
        ids = torch.zeros(rows, 1, dtype=torch.long, device=next(model.parameters()).device)
        model(ids, cache=cache)
        began = time.perf_counter()
        for _ in range(count):
            logits = model(ids, cache=cache)[:, -1].float()
            logits.softmax(-1).sort(-1, descending=True).values.cumsum(-1).sum().item()
    return (time.perf_counter() - began) / count
