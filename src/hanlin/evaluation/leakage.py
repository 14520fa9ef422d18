"""Leakage: how often text that nobody asked to be transformed looks transformed all the same.

Two n-gram models over the same tokens, one of plain text and one of text with its words in reverse
order, both score each sample. It counts as transformed where the second finds it likelier. Held-out
human text, measured alike, gives the rate of false alarms.

    python -m hanlin.evaluation.leakage
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hanlin.errors import DataError
from hanlin.evaluation.intervals import Share
from hanlin.evaluation.scorers import NgramScorer, Scorer
from hanlin.models.ngram import KneserNey
from hanlin.text.augmentation import reverse_words

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer

__all__ = ["Leakage", "fit_direction_scorers", "measure_leakage"]

_ORDER = 3


@dataclass(frozen=True, slots=True)
class Leakage:
    """The share of texts that look transformed, beside that of human text."""

    samples: Share
    human: Share

    def as_dict(self) -> dict[str, Any]:
        """Return both shares."""
        return {"samples": self.samples.as_dict(), "human": self.human.as_dict()}


def fit_direction_scorers(
    texts: Iterable[str], tokenizer: Tokenizer, *, order: int = _ORDER
) -> tuple[Scorer, Scorer]:
    """Return an n-gram scorer of texts as they are, and one of the same with words reversed."""
    plain = list(texts)
    if not plain:
        raise DataError("There is no text to fit the two directions on. Give training text.")
    forward, backward = (
        NgramScorer(
            KneserNey.fit(
                tokenizer.encode_batch(group),
                order,
                tokenizer.vocab_size,
                eot_id=tokenizer.eot_id,
            )
        )
        for group in (plain, [reverse_words(text) for text in plain])
    )
    return forward, backward


def measure_leakage(
    samples: Sequence[str],
    human: Sequence[str],
    tokenizer: Tokenizer,
    forward: Scorer,
    backward: Scorer,
) -> Leakage:
    """Return how many samples, and how many human texts, the backward scorer finds likelier."""
    found = [_count(texts, tokenizer, forward, backward) for texts in (samples, human)]
    return Leakage(*found)


def _count(texts: Sequence[str], tokenizer: Tokenizer, forward: Scorer, backward: Scorer) -> Share:
    ids = [each for each in tokenizer.encode_batch(list(texts)) if len(each)]
    if not ids:
        return Share(0, 0)
    plain, turned = (
        np.array([score.sum() for score in scorer.score(ids)]) for scorer in (forward, backward)
    )
    return Share(int((turned > plain).sum()), len(ids))


if __name__ == "__main__":
    from hanlin.config import WorldConfig
    from hanlin.text.world import write_stories
    from hanlin.tokenizers import train_tokenizer

    stories = [text for text, _ in write_stories(WorldConfig(stories=150))]
    bpe = train_tokenizer("bpe", stories, 500)
    scorers = fit_direction_scorers(stories[100:], bpe)
    turned_round = [reverse_words(text) for text in stories[:50]]
    print(measure_leakage(turned_round, stories[50:100], bpe, *scorers).as_dict())
