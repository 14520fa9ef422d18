"""Greedy, beam and batch agree where they must, and a beam finds what greedy misses."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from hanlin.config import Seq2SeqConfig
from hanlin.models.seq2seq import Memory, Seq2Seq, beam_search, build_seq2seq, greedy_search
from hanlin.models.seq2seq.search import reread

START, END, A, B, C = 1, 2, 3, 4, 5
SHAPE = Seq2SeqConfig(
    kind="lstm", source_vocab_size=9, target_vocab_size=6, start_id=START, end_id=END
)


class Told(NamedTuple):
    """The words that a table of probabilities was told so far, by row."""

    words: Tensor


class Table:
    """A decoder whose probabilities are written down: the next word by the words before it."""

    def __init__(self, table: dict[tuple[int, ...], dict[int, float]]) -> None:
        self.table = table
        self.config = SHAPE

    def begin(self, memory: Memory, length: int) -> Told:
        return Told(torch.zeros((memory.states.shape[0], 0), dtype=torch.long))

    def step(self, ids: Tensor, state: Told, memory: Memory) -> tuple[Tensor, Told]:
        words = torch.cat((state.words, ids[:, None]), dim=1)
        logits = torch.full((len(ids), SHAPE.target_vocab_size), -50.0)
        for row, said in enumerate(words[:, 1:].tolist()):
            for word, share in self.table.get(tuple(said), {END: 1.0}).items():
                logits[row, word] = math.log(share)
        return logits, Told(words)

    def select(self, state: Told, rows: Tensor) -> Told:
        return Told(state.words[rows])


# Greedy goes to A (0.6), after which nothing is sure: "A B" has 0.6 x 0.4 = 0.24. By way of B
# (0.4) the rest is certain: "B C" has 0.4 x 0.9 = 0.36.
FORK = Table({(): {A: 0.6, B: 0.4}, (A,): {B: 0.4, C: 0.35, A: 0.25}, (B,): {C: 0.9, A: 0.1}})
# A short answer is likelier as a whole, a long one likelier a word.
SHORT = Table(
    {
        (): {A: 0.55, END: 0.45},
        (A,): {B: 0.9, C: 0.1},
        (A, B): {C: 0.9, A: 0.1},
        (A, B, C): {END: 0.9, A: 0.1},
    }
)


def rows(count: int) -> Memory:
    return Memory(torch.zeros(count, 1, 1), torch.ones(count, 1, dtype=torch.bool))


def test_greedy_takes_the_likeliest_word_each_time() -> None:
    found = greedy_search(FORK, rows(1), max_tokens=5)[0]
    assert found.ids == (A, B)
    assert found.logprob == pytest.approx(math.log(0.6 * 0.4), abs=1e-6)


def test_a_beam_of_two_finds_the_likelier_sequence() -> None:
    found = beam_search(FORK, rows(1), beam=2, max_tokens=5)[0]
    assert found.ids == (B, C) and found.finished
    assert found.logprob == pytest.approx(math.log(0.4 * 0.9), abs=1e-6)


def test_the_length_penalty_chooses_the_longer_sequence() -> None:
    plain = beam_search(SHORT, rows(1), beam=2, length_penalty=0.0, max_tokens=5)[0]
    assert plain.ids == () and plain.logprob == pytest.approx(math.log(0.45), abs=1e-6)
    longer = beam_search(SHORT, rows(1), beam=2, length_penalty=1.0, max_tokens=5)[0]
    assert longer.ids == (A, B, C)
    assert longer.logprob == pytest.approx(math.log(0.55 * 0.9**3), abs=1e-6)


def test_padding_and_the_start_marker_are_never_written() -> None:
    tempted = Table({(): {0: 0.7, START: 0.2, A: 0.1}})
    assert greedy_search(tempted, rows(1), max_tokens=5)[0].ids == (A,)
    assert beam_search(tempted, rows(1), beam=3, max_tokens=5)[0].ids == (A,)


def test_what_has_no_end_stops_at_the_limit_and_says_so() -> None:
    endless = Table({(A,) * n: {A: 1.0} for n in range(9)})
    for found in (
        greedy_search(endless, rows(1), max_tokens=4)[0],
        beam_search(endless, rows(1), beam=2, max_tokens=4)[0],
    ):
        assert found.ids == (A,) * 4 and not found.finished


def build(kind: str) -> tuple[Seq2Seq, Tensor]:
    """Return a model with strong opinions, and sources of several lengths."""
    shape = Seq2SeqConfig(
        kind=kind,
        source_vocab_size=30,
        target_vocab_size=8,
        start_id=1,
        end_id=2,
        context_length=12,
        hidden_size=16,
        num_heads=2,
    )
    model = build_seq2seq(shape, seed=4).eval()
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.7 * torch.randn(parameter.shape, generator=generator))
    source = torch.randint(3, 30, (12, 6), generator=generator)
    for row, length in enumerate([6, 1, 3, 5, 2, 4, 6, 6, 1, 2, 3, 3]):
        source[row, length:] = 0
    return model, source


@pytest.mark.parametrize("kind", ["transformer", "lstm"])
def test_one_beam_is_greedy(kind: str) -> None:
    model, source = build(kind)
    memory = model.encoder(source)
    greedy = greedy_search(model.decoder, memory, max_tokens=12)
    beam = beam_search(model.decoder, memory, beam=1, length_penalty=0.7, max_tokens=12)
    assert [each.ids for each in greedy] == [each.ids for each in beam]
    assert [each.finished for each in greedy] == [each.finished for each in beam]
    assert {each.finished for each in greedy} == {True, False}
    for one, other in zip(greedy, beam, strict=True):
        assert one.logprob == pytest.approx(other.logprob, abs=1e-4)


@pytest.mark.parametrize("kind", ["transformer", "lstm"])
@pytest.mark.parametrize("beam", [1, 3])
def test_a_row_is_found_alike_in_a_batch_and_alone(kind: str, beam: int) -> None:
    model, source = build(kind)

    def search(ids: Tensor) -> list[tuple[int, ...]]:
        memory = model.encoder(ids)
        if beam == 1:
            return [each.ids for each in greedy_search(model.decoder, memory, max_tokens=12)]
        found = beam_search(model.decoder, memory, beam=beam, length_penalty=0.6, max_tokens=12)
        return [each.ids for each in found]

    alone = [search(row[row > 0][None])[0] for row in source]
    assert search(source) == alone


@pytest.mark.parametrize("kind", ["transformer", "lstm"])
def test_a_wide_beam_finds_nothing_less_likely_than_greedy(kind: str) -> None:
    model, source = build(kind)
    memory = model.encoder(source)
    greedy = greedy_search(model.decoder, memory, max_tokens=12)
    beam = beam_search(model.decoder, memory, beam=5, max_tokens=12)
    gains = [b.logprob - g.logprob for g, b in zip(greedy, beam, strict=True)]
    assert sum(gains) > 0


def test_reading_a_sequence_again_gives_the_state_that_greedy_ended_in() -> None:
    model, source = build("lstm")
    for row in source:
        memory = model.encoder(row[row > 0][None])
        found = greedy_search(model.decoder, memory, max_tokens=12)[0]
        again = reread(model.decoder, memory, found)
        assert found.state is not None
        torch.testing.assert_close(found.state.h, again.h)
        torch.testing.assert_close(found.state.c, again.c)
