"""Searches: a wide beam finds the best text there is, groups differ, contrast avoids likeness."""

from __future__ import annotations

import itertools

import pytest
import torch
from pydantic import ValidationError

from hanlin.config import ModelConfig, SearchConfig
from hanlin.generation import Engine
from hanlin.generation.contrastive import choose_contrastively
from hanlin.generation.exhaustive import search_exhaustively
from hanlin.models import build_model, resolve_model


class FiveTokens:
    """An end and four letters."""

    kind = "letters"
    control = {"<|endoftext|>": 0}  # noqa: RUF012
    eot_id = 0
    vocab_size = 5

    def encode(self, text: str) -> list[int]:
        return [" abcd".index(letter) for letter in text]

    def token_bytes(self, id: int) -> bytes:
        return b" abcd"[id : id + 1]


@pytest.fixture
def small() -> Engine:
    shape = {"context_length": 12, "hidden_size": 16, "num_layers": 1, "num_heads": 2}
    model = build_model(resolve_model(ModelConfig(family="qwen3", **shape), 5), seed=3)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return Engine(model, FiveTokens())


@pytest.mark.parametrize("penalty", [0.0, 1.0, -0.5])
def test_a_wide_beam_finds_the_best_of_all_texts(small, penalty):
    config = SearchConfig(beams=256, max_tokens=4, length_penalty=penalty)
    found = small.search([1], config)
    best = search_exhaustively(small.model, small.vocabulary, [1], 4, penalty)
    for text, expected in zip(found[:20], best[:20], strict=True):
        assert text.ids == expected.ids
        assert text.score == pytest.approx(expected.score, abs=1e-4)
        assert (text.finish_reason == "stop") == expected.ended


def test_a_beam_of_one_without_an_end_is_greedy(engine):
    writer = engine()
    ids = writer.tokenizer.encode("a")
    with torch.inference_mode():
        for _ in range(6):
            ids.append(int(writer.model(torch.tensor([ids]))[0, -1, :259].argmax()))
    found = writer.search("a", SearchConfig(beams=1, max_tokens=6))
    assert found[0].ids == ids[1:]


def test_a_wider_beam_is_not_worse(engine):
    scores = [
        engine().search("从前", SearchConfig(beams=beams, max_tokens=8, length_penalty=0))[0].score
        for beams in (1, 8)
    ]
    assert scores[1] >= scores[0]


def test_groups_write_different_texts(engine):
    writer = engine()
    shape = {"beams": 4, "groups": 4, "max_tokens": 6}
    alike = {tuple(t.ids) for t in writer.search("a", SearchConfig(**shape, diversity=0))}
    apart = {tuple(t.ids) for t in writer.search("a", SearchConfig(**shape, diversity=50))}
    assert len(alike) == 1 and len(apart) == 4
    firsts = [ids[0] for ids in apart]
    assert len(set(firsts)) == 4


def test_beams_that_do_not_divide_are_refused():
    with pytest.raises(ValidationError, match="4 beams make no 3 equal groups"):
        SearchConfig(beams=4, groups=3)


@pytest.mark.parametrize("method", ["beam", "contrastive"])
def test_no_ngram_comes_twice_and_a_stop_string_ends(engine, method):
    writer = engine()
    with torch.no_grad():  # characters of several tokens, which are left alone, stay unlikely
        writer.model.embedding.weight[3 + 128 :] = 0
    config = SearchConfig(method=method, beams=2, max_tokens=20, no_repeat_ngram=1)
    ids = writer.search("a", config)[0].ids
    assert len({*ids, *writer.tokenizer.encode("a")}) == len(ids) + 1
    letter = next(t for t in (writer.search("a", config)[0].text) if t.isprintable())
    stopped = writer.search("a", config.model_copy(update={"stop": (letter,)}))[0]
    assert letter not in stopped.text and stopped.finish_reason == "stop"


def test_contrast_of_zero_is_greedy_and_more_of_it_differs(engine):
    writer = engine()
    config = SearchConfig(method="contrastive", alpha=0, max_tokens=8)
    greedy = writer.search("a", SearchConfig(beams=1, max_tokens=8))[0].ids
    assert writer.search("a", config)[0].ids == greedy


def test_contrastive_text_equals_the_plain_uncached_loop(engine):
    writer = engine()
    found = writer.search("写书", SearchConfig(method="contrastive", max_tokens=6))[0].ids
    ids = writer.tokenizer.encode("写书")
    with torch.inference_mode():
        for _ in found:
            said = writer.model.hidden(torch.tensor([ids]))[0]
            shares = writer.model.head(said[-1])[:259].softmax(-1)
            values, tokens = shares.topk(5)
            states = torch.stack(
                [writer.model.hidden(torch.tensor([[*ids, int(t)]]))[0, -1] for t in tokens]
            )
            ids.append(int(tokens[choose_contrastively(values, states, said, 0.6)]))
    assert found == ids[6:]


def test_likeness_to_any_earlier_state_counts():
    axes = torch.eye(3)
    values = torch.tensor([0.5, 0.3, 0.2])
    assert choose_contrastively(values, axes, axes[:2], alpha=0.6) == 2
    assert choose_contrastively(values, axes, axes[:1], alpha=0.6) == 1
    assert choose_contrastively(values, axes, axes, alpha=0.6) == 0


def test_scores_are_sorted_and_texts_distinct(engine):
    found = engine().search("a", SearchConfig(beams=4, max_tokens=6))
    assert len({tuple(text.ids) for text in found}) == 4
    assert all(first.score >= second.score for first, second in itertools.pairwise(found))
