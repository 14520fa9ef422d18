"""Only the well-formed side of transformed text is learnt, and plain text is learnt as ever."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.config import ModelConfig
from hanlin.data import encode_marked
from hanlin.models import build_model
from hanlin.objectives import Markers, NextToken, hidden_targets, token_batch
from hanlin.text.augmentation import TRANSFORMATIONS
from hanlin.tokenizers import train_tokenizer
from hanlin.tokenizers.control import CONTROL_IDS, CONTROL_TOKENS

NAMES = ("reverse", "permute", "sort", "original", "copy", "fim_prefix", "fim_suffix", "fim_middle")
STORY = "小猫在河边看见一条鱼。The cat saw a fish. 它跳进水里，鱼游走了。"
TOKENIZER = SimpleNamespace(control=CONTROL_IDS, eot_id=0)
MARKERS = Markers.of(TOKENIZER)  # type: ignore[arg-type]
assert MARKERS is not None


def _reference(row: list[int]) -> list[bool]:
    """Walk through a row token by token."""
    hidden, inside, before = [], False, 0
    for token in row:
        name = CONTROL_TOKENS[token].strip("<|>") if token < len(CONTROL_TOKENS) else ""
        if name in ("permute", "copy") or (name == "sort" and before == 0):
            inside = True
        elif name in ("original", "endoftext", "sort"):
            inside = False
        hidden.append(inside or name in NAMES)
        before = token
    return hidden


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), min_size=12, max_size=12), min_size=1, max_size=4))
def test_the_mask_is_that_of_a_walk_through_the_row(rows: list[list[int]]) -> None:
    hidden = hidden_targets(torch.tensor(rows), MARKERS)
    expected = [_reference(row) for row in rows]
    if hidden is None:
        assert not any(any(row) for row in expected)
    else:
        assert hidden.tolist() == expected


@pytest.mark.parametrize(
    ("name", "first"), [("permute", "permute"), ("repeat", "copy"), ("sort", "sort")]
)
def test_what_stands_before_the_answer_is_not_learnt(name: str, first: str) -> None:
    bpe = train_tokenizer("bpe", [STORY] * 2, 380)
    seeds = (random.Random(seed) for seed in range(50))
    found = (TRANSFORMATIONS[name].apply(STORY, rng) for rng in seeds)
    marked = next(parts for parts in found if parts and parts[0].marker == f"<|{first}|>")
    ids = torch.tensor([[0, *encode_marked(marked, bpe).tolist(), 0]])
    batch = token_batch(ids, Markers.of(bpe))
    assert batch.weights is not None
    learnt = batch.targets[batch.weights > 0].tolist()
    assert learnt == [*bpe.encode(marked[1].text), 0]


def test_plain_rows_are_not_touched() -> None:
    rows = torch.randint(86, 200, (4, 9), generator=torch.Generator().manual_seed(1))
    batch = token_batch(rows, MARKERS)
    assert batch.weights is None
    padded = rows.clone()
    padded[:, 6:] = -1
    with_, without = token_batch(padded, MARKERS), token_batch(padded)
    assert with_.weights is not None and without.weights is not None
    assert torch.equal(with_.weights, without.weights)


def test_the_loss_of_plain_text_is_bitwise_the_same() -> None:
    shape = ModelConfig(vocab_size=200, hidden_size=16, num_heads=2, num_layers=1, context_length=8)
    model = build_model(shape, seed=1)
    rows = torch.randint(86, 200, (4, 9), generator=torch.Generator().manual_seed(1))
    losses = []
    for objective in (NextToken(), NextToken(markers=MARKERS)):
        prepared = objective.prepare(rows, model, torch.Generator())
        losses.append(objective.loss(model, prepared).sum.item())
    assert losses[0] == losses[1]


def test_a_tokenizer_without_the_markers_has_none() -> None:
    foreign = SimpleNamespace(control={"<|endoftext|>": 5}, eot_id=5)
    assert Markers.of(foreign) is None  # type: ignore[arg-type]
