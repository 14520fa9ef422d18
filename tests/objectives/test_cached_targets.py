"""What is read from disk is what the teachers said, up to the rounding that is written down."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from hanlin.config import DistilConfig, ModelConfig
from hanlin.data import RowStore, hash_rows
from hanlin.models import Decoder, build_model, resolve_model
from hanlin.objectives import CachedTargets, Distillation, NextToken
from hanlin.objectives.cached_targets import judge_rows, pack, target_record
from hanlin.objectives.top_k import TopK

LENGTH, VOCABULARY = 12, 64


def _model(seed: int, hidden_size: int = 16) -> Decoder:
    fields = {"num_heads": 2, "num_layers": 2, "context_length": 24, "zero_init": False}
    return build_model(
        resolve_model(ModelConfig(hidden_size=hidden_size, **fields), VOCABULARY), seed=seed
    ).eval()


def _rows(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(VOCABULARY, (5, LENGTH + 1), generator=generator)
    rows[2, 9:] = -1
    return rows


def _cached(folder: Path, teachers: list[Decoder], k: int, temperature: float) -> CachedTargets:
    record = target_record(LENGTH, k, VOCABULARY)
    RowStore.prepare(folder, {}, record, pytest.fail)
    targets = judge_rows(teachers, _rows(), k=k, temperature=temperature)
    RowStore.open(folder, record).add(hash_rows(_rows().numpy()), pack(targets, record))
    return CachedTargets(RowStore.open(folder, record))


def _loss(objective: Distillation, student: Decoder, progress: float = 0.0, rows: int = 5):
    prepared = objective.prepare(_rows()[:rows], student, torch.Generator(), progress)
    return objective.loss(student, prepared)


@pytest.mark.parametrize("divergence", ["forward", "reverse", "jensen-shannon"])
def test_with_all_tokens_kept_loss_and_gradient_are_those_of_living_teachers(tmp_path, divergence):
    teachers, student = [_model(2), _model(3, 24)], _model(1)
    config = DistilConfig(soft=0.7, temperature=2.0, divergence=divergence, confidence=0.1)
    cached = _cached(tmp_path, teachers, VOCABULARY, 2.0)
    found = []
    for objective in (Distillation(teachers, config), Distillation([], config, cached=cached)):
        loss = _loss(objective, student)
        gradients = torch.autograd.grad(loss.sum, list(student.parameters()))
        found.append((loss, torch.cat([gradient.flatten() for gradient in gradients])))
    (live, exact), (kept, near) = found
    torch.testing.assert_close(kept.sum, live.sum, rtol=1e-3, atol=1e-2)
    assert float(kept.weight) == float(live.weight)
    assert kept.parts.keys() == live.parts.keys()
    assert torch.nn.functional.cosine_similarity(near, exact, dim=0) > 0.99999


def test_a_part_of_the_tokens_never_says_more_than_all(tmp_path):
    teachers, student = [_model(2)], _model(1)
    config = DistilConfig(soft=1.0)
    live = _loss(Distillation(teachers, config), student).parts["soft"]
    found = [
        _loss(
            Distillation([], config, cached=_cached(tmp_path / str(k), teachers, k, 1.0)), student
        ).parts["soft"]
        for k in (4, 16, 48)
    ]
    assert found[0] < found[1] < found[2] < live


def test_rows_may_come_in_any_order_and_number(tmp_path):
    cached = _cached(tmp_path, [_model(2)], 8, 1.0)
    whole = cached.read(_rows())
    turned = cached.read(_rows()[[4, 1]])
    assert torch.equal(turned.ids[:LENGTH], whole.ids[4 * LENGTH :])
    assert torch.equal(turned.log_probs[LENGTH:], whole.log_probs[LENGTH : 2 * LENGTH])
    torch.testing.assert_close(whole.classes.exp().sum(-1), torch.ones(5 * LENGTH))


def test_once_the_teachers_share_is_over_nothing_is_read(tmp_path):
    cached = _cached(tmp_path, [_model(2)], 8, 1.0)
    student, config = _model(1), DistilConfig(soft=0.5, until_share=0.5)
    objective = Distillation([], config, cached=cached)
    assert "soft" in _loss(objective, student, 0.4).parts
    for file in tmp_path.iterdir():
        file.unlink()
    late = _loss(objective, student, 0.5)
    plain = NextToken().loss(student, NextToken().prepare(_rows(), student, torch.Generator()))
    assert torch.equal(late.sum, plain.sum)


def test_ids_take_no_more_bytes_than_the_vocabulary_needs():
    assert target_record(10, 4, 1 << 16)["ids"].base == np.uint16
    assert target_record(10, 4, (1 << 16) + 1)["ids"].base == np.uint32
    assert target_record(10, 4, 1 << 16).itemsize == 10 * (4 + 4 * 4)


def test_records_of_odd_sizes_are_read(tmp_path):
    record = target_record(3, 1, 1 << 17)
    assert record.itemsize % 4 == 2  # no whole number of the mass's bytes
    targets = TopK(torch.tensor([[70_000], [1], [2]]), torch.zeros(3, 1), torch.full((3,), -30.0))
    RowStore.prepare(tmp_path, {}, record, pytest.fail)
    rows = torch.arange(4)[None]
    RowStore.open(tmp_path, record).add(hash_rows(rows.numpy()), pack(targets, record))
    found = CachedTargets(RowStore.open(tmp_path, record)).read(rows.expand(2, -1))
    assert found.ids.flatten().tolist() == [70_000, 1, 2] * 2
    assert found.tail.tolist() == [-30.0] * 6


def test_a_teacher_of_no_doubt_is_kept_without_infinities(tmp_path):
    teacher = _model(2)
    with torch.no_grad():
        teacher.norm.weight.mul_(1e6)
    cached = _cached(tmp_path, [teacher], 8, 1.0)
    found = cached.read(_rows())
    assert torch.isfinite(found.log_probs).all()
    assert torch.isfinite(found.tail).all()
    objective = Distillation([], DistilConfig(soft=1.0), cached=cached)
    assert torch.isfinite(_loss(objective, _model(1)).sum)
