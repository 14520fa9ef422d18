"""Only the target's words are learnt, and a resumed training ends as an uninterrupted one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hanlin.config import Seq2SeqConfig, TrainingConfig
from hanlin.data import PairBatches, pack_pairs
from hanlin.errors import DataError, ModelError, StoppedError
from hanlin.models.seq2seq import Seq2Seq, build_seq2seq, greedy_search
from hanlin.objectives import Loss, TeacherForcing
from hanlin.training import read_snapshot, train

SOURCES = [[5, 6, 7], [8], [9, 9]]
TARGETS = [[1, 3, 2], [1, 4, 5, 4, 2], [1, 6, 2]]


def build(kind: str = "lstm", **changes: object) -> Seq2Seq:
    plain: dict[str, object] = {
        "kind": kind,
        "source_vocab_size": 12,
        "target_vocab_size": 12,
        "start_id": 1,
        "end_id": 2,
        "context_length": 16,
        "hidden_size": 24,
        "num_heads": 2,
        "num_layers": 1,
    }
    return build_seq2seq(Seq2SeqConfig.model_validate(plain | changes), seed=1)


def loss_of(model: Seq2Seq, rows: np.ndarray, objective: TeacherForcing) -> Loss:
    batch = torch.from_numpy(rows)
    return objective.loss(model, objective.prepare(batch, model, torch.Generator()))


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_that_of_each_pair_on_its_own(kind: str, smoothing: float) -> None:
    model = build(kind)
    found = loss_of(model, pack_pairs(SOURCES, TARGETS), TeacherForcing(label_smoothing=smoothing))
    expected = torch.tensor(0.0)
    for source, target in zip(SOURCES, TARGETS, strict=True):
        logits = model(torch.tensor([source]), torch.tensor([target[:-1]]))[0]
        expected = expected + F.cross_entropy(
            logits, torch.tensor(target[1:]), reduction="sum", label_smoothing=smoothing
        )
    torch.testing.assert_close(found.sum, expected)
    assert found.weight == 2 + 4 + 2


def test_smoothed_labels_report_the_plain_loss_beside() -> None:
    model, rows = build(), pack_pairs(SOURCES, TARGETS)
    plain = loss_of(model, rows, TeacherForcing())
    smoothed = loss_of(model, rows, TeacherForcing(label_smoothing=0.2))
    torch.testing.assert_close(smoothed.parts["cross_entropy"], plain.sum)
    assert plain.parts == {} and not smoothed.parts["cross_entropy"].requires_grad


def test_microbatches_add_up_to_the_batch() -> None:
    model, rows = build("transformer"), pack_pairs(SOURCES, TARGETS)
    objective = TeacherForcing()
    parts = [loss_of(model, rows[[number]], objective) for number in range(3)]
    torch.testing.assert_close(sum(p.sum for p in parts), loss_of(model, rows, objective).sum)


def test_ids_of_another_tokenizer_are_refused() -> None:
    with pytest.raises(DataError, match="source id 12"):
        loss_of(build(), pack_pairs([[12]], [[1, 2]]), TeacherForcing())
    with pytest.raises(DataError, match="target id 13"):
        loss_of(build(), pack_pairs([[5]], [[1, 13, 2]]), TeacherForcing())


def test_another_model_or_an_impossible_share_is_refused() -> None:
    with pytest.raises(ModelError, match="Linear has no encoder"):
        TeacherForcing().prepare(torch.ones(1, 4), nn.Linear(2, 2), torch.Generator())
    with pytest.raises(ModelError, match=r"label_smoothing is 1.0"):
        TeacherForcing(label_smoothing=1.0)


def copying(count: int = 24) -> PairBatches:
    """Return pairs whose target is the source backwards."""
    chance = np.random.default_rng(4)
    sources = [chance.integers(3, 9, chance.integers(1, 4)).tolist() for _ in range(count)]
    targets = [[1, *reversed(source), 2] for source in sources]
    return PairBatches(pack_pairs(sources, targets), rows_per_step=12, seed=2)


def settings(steps: int) -> TrainingConfig:
    return TrainingConfig.model_validate(
        {
            "steps": steps,
            "optimizer": {"kind": "adamw", "learning_rate": 0.01},
            "checkpoint": {"every_steps": 4},
            "precision": "fp32",
            "eval_every": 1000,
        }
    )


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
def test_a_resumed_training_ends_bit_for_bit_as_an_uninterrupted_one(
    kind: str, tmp_path: Path
) -> None:
    def run(name: str, **options: int) -> None:
        train(
            build(kind, dropout=0.1, num_layers=2),
            TeacherForcing(label_smoothing=0.1),
            copying(),
            settings(10),
            folder=tmp_path / name,
            seed=7,
            device="cpu",
            **options,
        )

    run("whole")
    with pytest.raises(StoppedError):
        run("halted", halt=5)
    run("halted")
    one, other = (
        read_snapshot(tmp_path / name / "checkpoints/step-00000010") for name in ("whole", "halted")
    )
    for ours, theirs in ((one.weights, other.weights), (one.tensors, other.tensors)):
        assert ours.keys() == theirs.keys()
        assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
def test_a_small_model_learns_its_pairs(kind: str, tmp_path: Path) -> None:
    model, batches = build(kind), copying(12)
    train(model, TeacherForcing(), batches, settings(120), folder=tmp_path, seed=1, device="cpu")
    prepared = TeacherForcing().prepare(torch.from_numpy(batches.rows), model, torch.Generator())
    found = greedy_search(model.decoder, model.encoder(prepared.source), max_tokens=8)
    wanted = [tuple(id for id in row if id not in (0, 2)) for row in prepared.targets.tolist()]
    assert [each.ids for each in found] == wanted
