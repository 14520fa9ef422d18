"""How far a smaller model drifts from its original on the same text.

bits per byte     of both, by language, and the difference
agreement         share of places at which both find the same token likeliest
divergence        KL(p || q), nats a token, of the smaller's q from the original's p

python -m hanlin.compression.drift
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hanlin.evaluation import HeldOutDocument, Scorer, bits_per_byte

__all__ = ["Drift", "measure_drift"]

_PLACES = 128
"""Places of one document at which distributions are compared."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What a language's text says about two models."""

    original: float
    """Bits per byte of the original."""
    smaller: float
    """Bits per byte of the smaller model."""
    agreement: float
    divergence: float
    places: int
    """Places at which distributions were compared."""

    def as_dict(self) -> dict[str, Any]:
        """Return the measures by name."""
        return {
            "bits_per_byte": {
                "original": self.original,
                "smaller": self.smaller,
                "change": self.smaller / self.original - 1,
            },
            "top_1_agreement": self.agreement,
            "kl_nats": self.divergence,
            "places": self.places,
        }


def measure_drift(
    original: Scorer,
    smaller: Scorer,
    documents: Sequence[HeldOutDocument],
    rng: np.random.Generator,
    *,
    places: int = 2000,
) -> dict[str, Drift]:
    """Compare two models by language; `places` is how many distributions a language at most."""
    before = bits_per_byte(original, documents).by_language
    after = bits_per_byte(smaller, documents).by_language
    drifts = {}
    for language in before:
        group = [document for document in documents if document.language == language]
        equal, divergences = _compare(original, smaller, group, rng, places)
        drifts[language] = Drift(
            before[language].bits_per_byte,
            after[language].bits_per_byte,
            sum(equal) / len(equal),
            math.fsum(divergences) / len(divergences),
            len(equal),
        )
    return drifts


def _compare(
    original: Scorer,
    smaller: Scorer,
    documents: Sequence[HeldOutDocument],
    rng: np.random.Generator,
    limit: int,
) -> tuple[list[bool], list[float]]:
    equal: list[bool] = []
    divergences: list[float] = []
    for document in documents:
        count = min(len(document.ids), _PLACES, limit - len(equal))
        if count == 0:
            break
        at = np.sort(rng.choice(len(document.ids), count, replace=False)).tolist()
        p = original.distributions(document.ids, at)  # (N, V)
        q = smaller.distributions(document.ids, at)
        equal += (p.argmax(1) == q.argmax(1)).tolist()
        tiny = np.finfo(np.float32).tiny
        logs = np.log(np.maximum(p, tiny)) - np.log(np.maximum(q, tiny))
        divergences += (p * logs).sum(1).tolist()
    return equal, divergences


if __name__ == "__main__":
    from hanlin.evaluation import UniformScorer

    document = HeldOutDocument("en", np.frombuffer(b"letters", np.uint8), 7, 7, lossless=True)
    scorer = UniformScorer(256)
    print(measure_drift(scorer, scorer, [document], np.random.default_rng(1)))
