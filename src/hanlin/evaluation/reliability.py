"""Are probabilities what they say? Temperature, expected calibration error, reliability.

A head's logits z are divided by one temperature T, fitted by maximum likelihood on texts that
neither training nor the test sees (Guo et al. 2017, arXiv 1706.04599):

    p = softmax(z / T),    T = argmin sum -log p_y

The negative log-likelihood is convex in 1/T, so that its slope, sum (E_p[z] - z_y), is bisected.
The expected calibration error is the mean distance of confidence and accuracy over bins of the
confidence, weighted by what is in them.

    python -m hanlin.evaluation.reliability

N texts, K labels.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["Bin", "calibration_error", "fit_temperature", "measure_calibration", "reliability"]

_RANGE = (0.05, 20.0)
_HALVINGS = 60
_BINS = 15


@dataclass(frozen=True, slots=True)
class Bin:
    """Texts whose likeliest label is about equally likely."""

    above: float
    """The confidence that the bin begins above."""
    count: int
    confidence: float
    """Mean probability of the likeliest label."""
    accuracy: float
    """How often it was right."""


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature that makes labels (N,) likeliest under logits (N, K).

    It stays between 0.05 and 20, where a head that is always right, or says nothing, would go on.

    >>> fit_temperature(torch.tensor([[2.0, 0.0]] * 4), torch.tensor([0, 0, 0, 1])).__round__(3)
    1.82
    """
    z = logits.double()
    right = z.gather(1, labels[:, None]).sum()
    low, high = (1 / bound for bound in reversed(_RANGE))  # of 1 / T
    for _ in range(_HALVINGS):
        middle = (low * high) ** 0.5
        slope = ((z * middle).softmax(-1) * z).sum() - right
        low, high = (low, middle) if slope > 0 else (middle, high)
    return float(1 / middle)


def reliability(probabilities: Tensor, labels: Tensor, *, bins: int = _BINS) -> list[Bin]:
    """Return the bins of equal width that hold any of the texts, from (N, K) and (N,)."""
    confidence, chosen = probabilities.double().max(-1)
    right = (chosen == labels).double()
    places = (confidence * bins).ceil().clamp(1, bins).long() - 1
    found = []
    for place in range(bins):
        inside = places == place
        if count := int(inside.sum()):
            mean, share = float(confidence[inside].mean()), float(right[inside].mean())
            found.append(Bin(place / bins, count, mean, share))
    return found


def calibration_error(probabilities: Tensor, labels: Tensor, *, bins: int = _BINS) -> float:
    """Return the expected calibration error of probabilities (N, K)."""
    found = reliability(probabilities, labels, bins=bins)
    return sum(one.count * abs(one.confidence - one.accuracy) for one in found) / len(labels)


def measure_calibration(logits: Tensor, labels: Tensor, temperature: float) -> dict[str, Any]:
    """Return negative log-likelihood and calibration error before and after, and the bins."""
    figures: dict[str, Any] = {}
    for name, scale in (("before", 1.0), ("after", temperature)):
        logprobs = (logits.double() / scale).log_softmax(-1)
        chances = logprobs.exp()
        figures[name] = {
            "negative_log_likelihood": float(-logprobs.gather(1, labels[:, None]).mean()),
            "expected_calibration_error": calibration_error(chances, labels),
            "reliability": [asdict(one) for one in reliability(chances, labels)],
        }
    return figures


if __name__ == "__main__":
    draws = torch.Generator().manual_seed(1)
    bold = 3 * torch.randn(400, 2, generator=draws)
    truth = torch.multinomial((bold / 2).softmax(-1), 1, generator=draws).squeeze(1)
    best = fit_temperature(bold, truth)
    print(
        f"temperature {best:.2f} where 2 is true", measure_calibration(bold, truth, best)["after"]
    )
