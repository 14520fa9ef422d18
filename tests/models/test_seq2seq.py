"""Both kinds read each row as if it stood alone, and write step by step what they learn at once."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from hanlin.config import Seq2SeqConfig
from hanlin.errors import ModelError
from hanlin.models.seq2seq import Seq2Seq, build_seq2seq
from hanlin.training import hidden_matrices

SOURCE = torch.tensor([[3, 4, 5, 6, 7], [8, 3, 0, 0, 0], [5, 5, 4, 0, 0]])
TARGET = torch.tensor([[1, 4, 5, 6], [1, 7, 0, 0], [1, 3, 9, 0]])
KINDS = [{"kind": "transformer"}, {"kind": "lstm"}, {"kind": "lstm", "attention": False}]


def shape(**changes: object) -> Seq2SeqConfig:
    plain: dict[str, object] = {
        "source_vocab_size": 9,
        "target_vocab_size": 10,
        "start_id": 1,
        "end_id": 2,
        "context_length": 16,
        "hidden_size": 16,
        "num_heads": 2,
    }
    return Seq2SeqConfig.model_validate(plain | changes)


@pytest.fixture(params=KINDS, ids=["transformer", "lstm with attention", "lstm"])
def model(request: pytest.FixtureRequest) -> Seq2Seq:
    """A model whose every matrix is at work: nothing is left at zero."""
    built = build_seq2seq(shape(**request.param), seed=1).eval()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return built


def length_of(row: Tensor) -> int:
    return int((row > 0).sum())


@torch.no_grad()
def test_a_padded_batch_gives_each_row_its_own_logits(model: Seq2Seq) -> None:
    together = model(SOURCE, TARGET)
    for row in range(3):
        source, target = (
            SOURCE[row, : length_of(SOURCE[row])],
            TARGET[row, : length_of(TARGET[row])],
        )
        alone = model(source[None], target[None])[0]
        torch.testing.assert_close(together[row, : len(target)], alone, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_nothing_of_the_padding_reaches_the_decoder(model: Seq2Seq) -> None:
    plain = model(SOURCE, TARGET)
    model.encoder.embedding.weight[0] = 100.0
    changed = model(SOURCE, TARGET)
    for row in range(3):
        own = length_of(TARGET[row])
        assert torch.equal(plain[row, :own], changed[row, :own])


@torch.no_grad()
def test_a_word_does_not_see_those_after_it(model: Seq2Seq) -> None:
    other = TARGET.clone()
    other[:, 2:] = 9
    assert torch.equal(model(SOURCE, TARGET)[:, :2], model(SOURCE, other)[:, :2])


@torch.no_grad()
def test_the_source_is_read(model: Seq2Seq) -> None:
    other = SOURCE.clone()
    other[0, 0] = 8
    assert not torch.allclose(model(SOURCE, TARGET)[0], model(other, TARGET)[0])


@torch.no_grad()
def test_stepping_gives_what_teacher_forcing_gives(model: Seq2Seq) -> None:
    forced = model(SOURCE, TARGET)
    memory = model.encoder(SOURCE)
    state = model.decoder.begin(memory, TARGET.shape[1])
    for place in range(TARGET.shape[1]):
        logits, state = model.decoder.step(TARGET[:, place], state, memory)
        torch.testing.assert_close(logits, forced[:, place], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_selected_rows_go_on_as_they_would_have(model: Seq2Seq) -> None:
    memory = model.encoder(SOURCE)
    state = model.decoder.begin(memory, 4)
    _, state = model.decoder.step(TARGET[:, 0], state, memory)
    rows = torch.tensor([2, 0, 0])
    chosen = model.decoder.select(state, rows)
    after, _ = model.decoder.step(TARGET[rows, 1], chosen, memory.select(rows))
    whole, _ = model.decoder.step(TARGET[:, 1], state, memory)
    torch.testing.assert_close(after, whole[rows], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_one_seed_gives_the_same_weights_whatever_was_drawn_before(kind: dict[str, object]) -> None:
    first = build_seq2seq(shape(**kind), seed=3).state_dict()
    torch.rand(5)
    second = build_seq2seq(shape(**kind), seed=3).state_dict()
    other = build_seq2seq(shape(**kind), seed=4).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    assert all(bool(tensor.isfinite().all()) for tensor in first.values())


def test_an_untied_head_is_no_hidden_matrix_and_fused_ones_are_taken_apart() -> None:
    matrices = hidden_matrices(build_seq2seq(shape(tie_embeddings=False), seed=1))
    assert not [name for name in matrices if "unembedding" in name]
    assert matrices["decoder.layers.0.cross.key_value.weight"] == (16, 16)
    assert matrices["encoder.blocks.0.attention.qkv.weight"] == (16, 16, 16)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([[3, 4], [0, 0]], "is empty"),
        ([[0, 3, 4]], "before a word"),
        ([[3] * 17], "context_length 16"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused(
    model: Seq2Seq, source: list[list[int]], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        model.encoder(torch.tensor(source))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start_id": 10}, "start_id 10 lies outside"),
        ({"end_id": 1}, "give two markers"),
        ({"num_heads": 3}, "not divisible by num_heads"),
    ],
)
def test_an_impossible_shape_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        shape(**changes)


def test_a_target_beyond_the_context_is_refused() -> None:
    model = build_seq2seq(shape(), seed=1)
    with pytest.raises(ModelError, match="target of 17 tokens"):
        model(SOURCE[:1], torch.full((1, 17), 3))
