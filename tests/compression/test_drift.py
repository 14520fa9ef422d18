"""How far one scorer lies from another."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hanlin.compression import measure_drift
from hanlin.evaluation import DecoderScorer, HeldOutDocument, UniformScorer


def test_a_model_has_not_drifted_from_itself_and_far_from_a_uniform_one(make):
    document = HeldOutDocument("en", np.arange(40) % 96, 40, 40, lossless=True)
    scorer = DecoderScorer(make())
    same = measure_drift(scorer, scorer, [document], np.random.default_rng(1))["en"]
    assert (same.agreement, same.divergence, same.places) == (1.0, 0.0, 40)
    assert same.as_dict()["bits_per_byte"]["change"] == 0
    far = measure_drift(scorer, UniformScorer(96), [document], np.random.default_rng(1), places=9)
    p = scorer.distributions(document.ids, range(40))
    entropy = -(p * np.log(p)).sum(1)
    assert far["en"].places == 9
    whole = measure_drift(scorer, UniformScorer(96), [document], np.random.default_rng(1))["en"]
    assert whole.divergence == pytest.approx(float(np.mean(math.log(96) - entropy)), rel=1e-4)
