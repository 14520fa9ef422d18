from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hanlin.evaluation import DecoderScorer, MixtureScorer, NgramScorer, Scorer, UniformScorer
from hanlin.models import Decoder
from hanlin.models.ngram import KneserNey

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer


def documents_of(vocab_size: int, sizes: list[int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(1, vocab_size, size).astype(np.uint32) for size in sizes]


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
