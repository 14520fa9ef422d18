from __future__ import annotations

import numpy as np
import torch

from hanlin.evaluation import DecoderScorer
from hanlin.models import Decoder


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
