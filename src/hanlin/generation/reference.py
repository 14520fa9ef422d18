"""Drawing in plain loops: what the fast way of `hanlin.generation.sampling` must equal.

python -m hanlin.generation.reference
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hanlin.config import SamplingConfig

__all__ = ["sample_token_reference"]


def sample_token_reference(
    logits: Sequence[float],
    sampling: SamplingConfig,
    prompt: Sequence[int],
    written: Sequence[int],
    uniform: float,
) -> int:
    """Return the token that `uniform` in [0, 1) draws, in plain loops: what the rest must equal."""
    scores = _penalised(list(logits), sampling, prompt, written)
    order = sorted(range(len(scores)), key=lambda token: -scores[token])
    if sampling.temperature == 0:
        return order[0]
    if sampling.top_k:
        order = order[: sampling.top_k]
    top = scores[order[0]]
    weights = [math.exp((scores[token] - top) / sampling.temperature) for token in order]
    total = sum(weights)
    kept: list[float] = []
    for weight in weights:
        if sum(kept) >= sampling.top_p * total or weight < sampling.min_p * weights[0]:
            break
        kept.append(weight)
    places = _typical(kept, sampling.typical_p)
    total, passed = sum(kept[place] for place in places), 0.0
    for place in places:
        passed += kept[place]
        if passed > uniform * total:
            return order[place]
    return order[places[-1]]


def _typical(weights: list[float], share: float) -> list[int]:
    """Return the places, in their order, of the weights nearest to the expected surprise."""
    if share == 1:
        return list(range(len(weights)))
    shares = [weight / sum(weights) for weight in weights]
    expected = -sum(p * math.log(p) for p in shares)
    kept: list[int] = []
    for place in sorted(range(len(shares)), key=lambda i: abs(-math.log(shares[i]) - expected)):
        if sum(shares[other] for other in kept) >= share:
            break
        kept.append(place)
    return sorted(kept)


def _penalised(
    scores: list[float], sampling: SamplingConfig, prompt: Sequence[int], written: Sequence[int]
) -> list[float]:
    penalty = sampling.repetition_penalty
    for token in {*prompt, *written}:
        scores[token] = scores[token] / penalty if scores[token] > 0 else scores[token] * penalty
    for token in set(written):
        scores[token] -= sampling.presence_penalty
        scores[token] -= sampling.frequency_penalty * list(written).count(token)
    return scores


if __name__ == "__main__":
    half = SamplingConfig(temperature=1.0, top_k=2)
    print([sample_token_reference([2.0, 1.0, 0.0], half, [], [], u / 10) for u in range(10)])
