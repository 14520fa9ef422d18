"""Classical language models over token ids: the honest baseline beside a GPT.

from hanlin.models.ngram import KneserNey
model = KneserNey.fit(documents, order=5, vocab_size=tokenizer.vocab_size)
model.logprobs(ids)            # ln p of every token, (T,)
model.next_distribution(ids)   # sums to one over the vocabulary, (V,)
"""

from __future__ import annotations

from pathlib import Path

from hanlin.errors import ModelError
from hanlin.models.ngram._storage import read_config
from hanlin.models.ngram.dirichlet import DirichletCounts
from hanlin.models.ngram.interpolated import InterpolatedNgram, LanguageModel
from hanlin.models.ngram.kneser_ney import KneserNey
from hanlin.models.ngram.segmentation import WordModel, segment

__all__ = [
    "DirichletCounts",
    "InterpolatedNgram",
    "KneserNey",
    "LanguageModel",
    "WordModel",
    "load_ngram",
    "segment",
]


def load_ngram(folder: Path) -> InterpolatedNgram:
    """Read an n-gram model of either kind; raise `ModelError` where there is none."""
    estimator = read_config(folder).get("estimator")
    for kind in (KneserNey, DirichletCounts):
        if kind.estimator == estimator:
            return kind.load(folder)
    raise ModelError(f"{folder} holds an n-gram model of an unknown estimator, {estimator!r}.")
