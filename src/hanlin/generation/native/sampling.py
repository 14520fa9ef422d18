"""How the next token is drawn without torch: the steps of `hanlin.generation.sampling` in numpy.

One row at a time, the same steps in the same order and with the same uniform numbers, so that both
engines draw the same text from the same logits; a test compares them.

Shapes: V vocab, N candidates.

    python -m hanlin.generation.native.sampling
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hanlin.config import SamplingConfig

__all__ = ["History", "draw", "needs_history", "uniforms", "unknown_settings"]

Floats = NDArray[np.float32]

_CANDIDATES = 256
"""How many of the likeliest tokens are sorted before all are."""


_KNOWN = frozenset(
    (
        "max_tokens",
        "min_tokens",
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "repetition_penalty",
        "presence_penalty",
        "frequency_penalty",
        "stop",
        "seed",
    )
)


def unknown_settings(sampling: SamplingConfig) -> list[str]:
    """Return the settings that differ from their defaults and are not followed here."""
    changed = sampling.model_dump(exclude_defaults=True)
    return sorted(set(changed) - _KNOWN)


class History:
    """Which tokens a text has read or written, and how often it has written each."""

    def __init__(self, prompt: Sequence[int], vocab_size: int) -> None:
        """Begin with a prompt, in a vocabulary of V."""
        self.seen = np.zeros(vocab_size, dtype=bool)
        self.written = np.zeros(vocab_size, dtype=np.float32)
        self.seen[[token for token in prompt if token < vocab_size]] = True

    def add(self, token: int) -> None:
        """Count one more written token."""
        self.seen[token] = True
        self.written[token] += 1

    def penalise(self, logits: Floats, sampling: SamplingConfig) -> Floats:
        """Return logits (V,) after the penalties."""
        penalty = np.float32(sampling.repetition_penalty)
        damped = np.where(logits > 0, logits / penalty, logits * penalty)
        logits = np.where(self.seen, damped, logits)
        added = np.float32(sampling.presence_penalty) * (self.written > 0).astype(np.float32)
        added += np.float32(sampling.frequency_penalty) * self.written
        return np.asarray(logits - added, dtype=np.float32)


def needs_history(sampling: SamplingConfig) -> bool:
    """Whether any penalty needs a history at all."""
    added = (sampling.presence_penalty, sampling.frequency_penalty)
    return sampling.repetition_penalty != 1.0 or any(added)


def draw(logits: Floats, sampling: SamplingConfig, uniform: float) -> int:
    """Return the token that `uniform` in [0, 1) draws from logits (V,)."""
    if sampling.temperature == 0:
        return int(logits.argmax())
    logits = logits / np.float32(sampling.temperature)
    count = min(max(_CANDIDATES, sampling.top_k), len(logits))
    norm = _log_sum_exp(logits)
    if count < len(logits):
        order = np.argpartition(logits, len(logits) - count)[len(logits) - count :]
        order = order[np.argsort(-logits[order], kind="stable")]
        token, settled = _draw_sorted(logits, order, norm, sampling, uniform)
        if settled:
            return token
    order = np.argsort(-logits, kind="stable")
    return _draw_sorted(logits, order, norm, sampling, uniform)[0]


def uniforms(seed: int | None, count: int) -> NDArray[np.float64]:
    """Return one uniform number for each step: those that torch's generator gives for the seed.

    torch's CPU generator is the Mersenne Twister of Matsumoto and Nishimura (1998), which Python
    has as well; a double takes the low 53 bits of two of its numbers, the second below the first.
    """
    if seed is None:
        fresh = random.Random()
        return np.array([fresh.random() for _ in range(count)])
    twister = random.Random()
    twister.setstate((3, (*_twister_words(seed & 0xFFFFFFFF), 624), None))
    draw = twister.getrandbits
    whole = [(draw(32) << 32 | draw(32)) & ((1 << 53) - 1) for _ in range(count)]
    return np.array(whole, dtype=np.float64) * 2.0**-53


def _twister_words(seed: int) -> list[int]:
    """Return the state that a seed of 32 bits begins with (Knuth, TAOCP 2, 3rd edition, p. 106)."""
    words = [seed]
    for place in range(1, 624):
        mixed = words[-1] ^ words[-1] >> 30
        words.append((1_812_433_253 * mixed + place) & 0xFFFFFFFF)
    return words


def _draw_sorted(
    logits: Floats,
    order: NDArray[np.intp],
    norm: np.float32,
    sampling: SamplingConfig,
    uniform: float,
) -> tuple[int, bool]:
    """Draw from tokens in order of likelihood; also say whether they held all that was needed."""
    if sampling.top_k:
        order = order[: sampling.top_k]
        norm = _log_sum_exp(logits[order])
    weights = np.exp((logits[order] - norm).astype(np.float64))  # (N,)
    cumulative = weights.cumsum()
    kept = cumulative - weights < sampling.top_p
    if sampling.min_p > 0:
        kept &= weights >= sampling.min_p * weights[0]
    is_cut = not kept[-1] or bool(sampling.top_k)
    target = uniform * ((weights * kept).sum() if is_cut else 1.0)
    free = sampling.top_p == 1 and sampling.min_p == 0
    settled = is_cut or (target < cumulative[-1] and free)
    place = min(int((cumulative <= target).sum()), int(kept.sum()) - 1)
    return int(order[place]), bool(settled)


def _log_sum_exp(values: Floats) -> np.float32:
    most = values.max()
    return np.float32(most + np.log(np.exp(values - most).sum()))


if __name__ == "__main__":
    nucleus = SamplingConfig(temperature=1.0, top_p=0.9)
    four = np.array([2.0, 1.0, 0.0, -1.0], dtype=np.float32)
    drawn = [draw(four, nucleus, number) for number in uniforms(1, 1000)]
    print("draws of each token at top-p 0.9:", np.bincount(drawn, minlength=4).tolist())
