"""What a step costs with a teacher beside the student, with its targets on disk, and with neither.

    OMP_NUM_THREADS=1 python benchmarks/teacher_cache.py
    OMP_NUM_THREADS=1 python benchmarks/teacher_cache.py --vocabulary 16384 --kept 64

A teacher of twice the student's width and layers; random weights, since no time depends on them.
Rounds of the three arms in turns; the median of processor time, which is sound with one thread. For
the cache also: the time to judge and write the rows of a step, which is spent once, and its bytes a
token.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor

from hanlin.config import DistilConfig, ModelConfig
from hanlin.data import RowStore, hash_rows
from hanlin.models import Decoder, build_model, count_parameters, resolve_model
from hanlin.objectives import CachedTargets, Distillation
from hanlin.objectives.cached_targets import judge_rows, pack, target_record
from hanlin.training import keep_buffers


def main() -> None:
    given = _options()
    keep_buffers()  # as the training loop does
    student = _model(given, 1)
    teacher = _model(given, 2)
    chance = torch.Generator().manual_seed(0)
    rows = torch.randint(given.vocabulary, (given.rows, given.length + 1), generator=chance)
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        cached = _write(Path(folder), teacher, rows, given.kept)
        judging = time.process_time() - started
        config = DistilConfig()
        arms = {
            "live teacher": Distillation([teacher], config),
            "cache": Distillation([], config, cached=cached),
            "no teacher": Distillation([], config),
        }
        times: dict[str, list[float]] = {name: [] for name in arms}
        for _ in range(given.rounds):
            for name, objective in arms.items():
                times[name].append(_step(objective, student, rows))
        sizes = [count_parameters(model.config).total / 1e6 for model in (teacher, student)]
        print(f"teacher {sizes[0]:.1f}M, student {sizes[1]:.1f}M, {rows[:, 1:].numel()} tokens")
        for name, found in times.items():
            print(f"{name}: {statistics.median(found):.3f} s a step")
        print(f"judging and writing, once: {judging:.3f} s for the rows of a step")
        print(f"{cached.as_dict()['bytes_per_token']:.0f} bytes a token")


def _model(given: argparse.Namespace, factor: int) -> Decoder:
    shape = ModelConfig(
        hidden_size=given.width * factor,
        num_heads=given.width * factor // 32,
        num_layers=given.layers * factor,
        context_length=given.length,
        zero_init=False,
    )
    return build_model(resolve_model(shape, given.vocabulary), seed=factor)


def _write(folder: Path, teacher: Decoder, rows: Tensor, kept: int) -> CachedTargets:
    length, vocabulary = rows.shape[1] - 1, teacher.config.vocab_size
    record = target_record(length, kept, vocabulary)
    RowStore.prepare(folder, {}, record, print)
    targets = judge_rows([teacher.eval()], rows, k=kept, temperature=1.0)
    RowStore.open(folder, record).add(hash_rows(rows.numpy()), pack(targets, record))
    return CachedTargets(RowStore.open(folder, record))


def _step(objective: Distillation, student: Decoder, rows: Tensor) -> float:
    """Return the processor time of forward and backward."""
    student.zero_grad()
    started = time.process_time()
    prepared = objective.prepare(rows, student, torch.Generator(), 0.0)
    objective.loss(student, prepared).sum.backward()
    return time.process_time() - started


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vocabulary", type=int, default=8192)
    parser.add_argument("--kept", type=int, default=64)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
