"""Sampling: the fast path equals plain loops, and each setting does what it says."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.config import SamplingConfig
from hanlin.generation.reference import sample_token_reference
from hanlin.generation.sampling import TokenHistory, draw, penalise, sample_token

CONFIGS = st.builds(
    SamplingConfig,
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.5]),
    top_k=st.sampled_from([0, 1, 3, 40, 1000]),
    top_p=st.sampled_from([0.05, 0.5, 0.95, 1.0]),
    min_p=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    typical_p=st.sampled_from([0.3, 0.9, 1.0]),
    repetition_penalty=st.sampled_from([0.8, 1.0, 1.3]),
    presence_penalty=st.sampled_from([-0.5, 0.0, 1.0]),
    frequency_penalty=st.sampled_from([-0.5, 0.0, 0.7]),
)


def some_logits(rows: int, width: int, seed: int = 0, scale: float = 3.0) -> torch.Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)) * scale


@settings(deadline=None, max_examples=100)
@given(
    config=CONFIGS,
    width=st.sampled_from([5, 30, 700]),
    scale=st.sampled_from([0.1, 3.0]),
    seed=st.integers(0, 10_000),
    uniform=st.floats(0, 0.999),
)
def test_drawing_equals_the_plain_loops(config, width, scale, seed, uniform):
    logits = some_logits(2, width, seed, scale)
    prompts, written = [[0, 1, 1], [2]], [[3, 3, 1], [4, 0, 0]]
    history = TokenHistory(prompts, logits)
    for step in zip(*written, strict=True):
        history.add(torch.tensor(step))
    found = draw(penalise(logits, config, history), config, torch.full((2,), uniform).double())
    for row in range(2):
        expected = sample_token_reference(
            logits[row].tolist(), config, prompts[row], written[row], uniform
        )
        if found[row] != expected:  # only where rounding moves a boundary across the number
            near = {
                sample_token_reference(
                    logits[row].tolist(), config, prompts[row], written[row], nudged
                )
                for nudged in (max(uniform - 1e-5, 0), min(uniform + 1e-5, 0.9999))
            }
            assert int(found[row]) in near


def test_a_flat_distribution_needs_more_than_the_candidates_and_gets_them():
    logits = some_logits(3, 5000, scale=0.01)
    uniform = torch.tensor([0.01, 0.6, 0.97], dtype=torch.float64)
    config = SamplingConfig(temperature=1.0, top_p=0.98)
    order = logits.sort(dim=-1, descending=True)
    found = draw(logits, config, uniform)
    for row in range(3):
        weights = order.values[row].double().softmax(-1).cumsum(-1)
        place = int((weights <= uniform[row] * 0.98).sum())
        assert int(found[row]) in order.indices[row, place - 1 : place + 2]


def test_frequencies_follow_the_distribution():
    logits = torch.tensor([1.5, 0.0, -1.0, 0.5])
    config = SamplingConfig(temperature=1.0, top_p=1.0)
    generator = torch.Generator().manual_seed(1)
    ids = sample_token(logits.expand(20_000, 4), config, None, generator)
    expected = 20_000 * logits.softmax(-1)
    chi_square = ((ids.bincount(minlength=4) - expected).square() / expected).sum()
    assert chi_square < 16.3  # 0.1 % of fair draws exceed it at three degrees of freedom


def test_temperature_zero_takes_the_likeliest():
    logits = some_logits(4, 50)
    ids = sample_token(logits, SamplingConfig(temperature=0), None, torch.Generator())
    assert torch.equal(ids, logits.argmax(-1))


@pytest.mark.parametrize(
    ("fields", "possible"),
    [
        ({"top_k": 2}, {3, 1}),
        ({"top_p": 0.6}, {3}),
        ({"top_p": 0.7}, {3, 1}),
        ({"min_p": 0.2}, {3, 1}),
        ({"top_p": 1.0}, {0, 1, 2, 3}),
    ],
)
def test_each_cut_leaves_the_tokens_it_should(fields, possible):
    logits = torch.tensor([0.05, 0.25, 0.05, 0.65]).log()
    config = SamplingConfig(**{"temperature": 1.0, "top_p": 1.0, **fields})
    ids = sample_token(logits.expand(2000, 4), config, None, torch.Generator().manual_seed(2))
    assert set(ids.tolist()) == possible


def test_presence_and_frequency_count_what_was_written_and_not_the_prompt():
    logits = torch.zeros(1, 4)
    history = TokenHistory([[0]], logits)
    for token in (1, 1, 2):
        history.add(torch.tensor([token]))
    config = SamplingConfig(presence_penalty=1.0, frequency_penalty=0.5)
    assert penalise(logits, config, history).tolist() == [[0.0, -2.0, -1.5, 0.0]]


def test_repetition_counts_the_prompt_too_and_lowers_negative_logits():
    logits = torch.tensor([[2.0, -2.0, 2.0]])
    history = TokenHistory([[0, 1]], logits)
    penalised = penalise(logits, SamplingConfig(repetition_penalty=2.0), history)
    assert penalised.tolist() == [[1.0, -4.0, 2.0]]


def test_one_row_and_a_batch_of_one_draw_alike():
    logits = some_logits(1, 50)
    config = SamplingConfig(temperature=1.0)
    alone = sample_token(logits[0], config, None, torch.Generator().manual_seed(3))
    batch = sample_token(logits, config, None, torch.Generator().manual_seed(3))
    assert alone.shape == () and alone == batch[0]
