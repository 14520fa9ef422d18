from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from hanlin.evaluation import DecoderScorer, MixtureScorer, NgramScorer, Scorer, UniformScorer
from hanlin.models import Decoder
from hanlin.models.ngram import KneserNey

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer


def plain_logprobs(model: Decoder, ids: np.ndarray, start: int = 0) -> np.ndarray:
    """ln p of ids[start:] given those from `start` and the token before; no batch, no window."""
    model.eval()
    before = [0, *ids.tolist()][start : len(ids)]
    with torch.inference_mode():
        logprobs = model(torch.tensor([before]))[0].log_softmax(-1)
    return np.array([float(logprobs[i, token]) for i, token in enumerate(ids[start:])])


def documents_of(vocab_size: int, sizes: list[int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(1, vocab_size, size).astype(np.uint32) for size in sizes]


def test_batched_scores_equal_one_document_at_a_time(model: Decoder) -> None:
    documents = documents_of(model.config.vocab_size, [5, 16, 1, 9, 0])
    *scores, empty = DecoderScorer(model, batch_tokens=24).score(documents)
    assert empty.size == 0
    for score, document in zip(scores, documents[:-1], strict=True):
        np.testing.assert_allclose(score, plain_logprobs(model, document), atol=1e-4)


def test_long_documents_are_scored_in_overlapping_windows(model: Decoder) -> None:
    (document,) = documents_of(model.config.vocab_size, [45])
    (score,) = DecoderScorer(model).score([document])
    expected = np.concatenate(
        [
            plain_logprobs(model, document[:16]),
            plain_logprobs(model, document[:24], 8)[8:],
            plain_logprobs(model, document[:32], 16)[8:],
            plain_logprobs(model, document[:40], 24)[8:],
            plain_logprobs(model, document, 29)[11:],
        ]
    )
    np.testing.assert_allclose(score, expected, atol=1e-4)


def test_scoring_switches_dropout_off_and_leaves_the_model_as_it_was(model: Decoder) -> None:
    documents = documents_of(model.config.vocab_size, [12])
    model.train()
    first, second = (DecoderScorer(model).score(documents)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert model.training


def test_distributions_and_scores_agree_for_every_scorer(model: Decoder) -> None:
    vocab_size = model.config.vocab_size
    (document,) = documents_of(vocab_size, [40])
    ngram = NgramScorer(KneserNey.fit([document], 3, vocab_size))
    decoder = DecoderScorer(model)
    scorers: list[Scorer] = [
        decoder,
        ngram,
        UniformScorer(vocab_size),
        MixtureScorer(decoder, ngram, 0.3),
    ]
    positions = [0, 3, 17, 18, 39]
    for scorer in scorers:
        rows = scorer.distributions(document, positions)
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)
        (score,) = scorer.score([document])
        picked = np.log(rows[np.arange(5), document[positions]])
        np.testing.assert_allclose(picked, score[positions], atol=1e-4)


def test_a_mixture_is_no_worse_than_its_better_part_on_the_text_it_was_fitted_to(
    model: Decoder, tokenizer: Tokenizer
) -> None:
    train, test = documents_of(20, [400, 60])
    ngram = NgramScorer(KneserNey.fit([train], 2, model.config.vocab_size))
    decoder = DecoderScorer(model)
    weight = MixtureScorer.fit_weight(decoder, ngram, [test])
    mixed = MixtureScorer(decoder, ngram, weight).score([test])[0].mean()
    assert mixed >= max(ngram.score([test])[0].mean(), decoder.score([test])[0].mean())
    assert weight < 0.5  # the decoder is untrained


def test_the_uniform_baseline_gives_every_token_the_same() -> None:
    assert UniformScorer(8).score([np.array([1, 2])])[0].tolist() == pytest.approx(
        [-math.log(8)] * 2
    )
