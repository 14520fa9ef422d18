"""The n-gram baseline of a run: counted once on the training tokens, then read again.

It stands beside every model that is measured, and scores texts that a model wrote: it learnt from
the same tokens by other means.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hanlin.models.ngram import KneserNey
from hanlin.records import sha256_json
from hanlin.stages.context import StageContext

__all__ = ["fit_ngram", "prepare_ngram"]


def prepare_ngram(context: StageContext) -> KneserNey | None:
    """Return the run's baseline, fitted unless it is there; None where the recipe has none."""
    settings = context.recipe.evaluation
    if not settings.ngram_order:
        return None
    return fit_ngram(context, context.ngram, settings.ngram_order, settings.ngram_tokens)


def fit_ngram(context: StageContext, folder: Path, order: int, tokens: int) -> KneserNey:
    """Return the model of that order over so many of the stage's tokens, fitted unless it is there.

    It lies in `folder` by the hash of all that it follows from. Of several processes, the first
    alone may fit it.
    """
    wanted = sha256_json(
        [
            order,
            tokens,
            context.fingerprints["corpus"],
            context.fingerprints["tokenizer"],
        ]
    )
    place = folder / wanted[:12]
    if (place / "config.json").exists():
        return KneserNey.load(place)
    began = time.monotonic()
    context.say(f"Fitting the Kneser-Ney baseline of order {order} ...")
    model = KneserNey.fit(
        _training_tokens(context, tokens),
        order,
        context.tokenizer.vocab_size,
        eot_id=context.tokenizer.eot_id,
    )
    model.save(place)
    context.say(f"Fitting the baseline: done in {time.monotonic() - began:.1f} s")
    return model


def _training_tokens(context: StageContext, limit: int) -> Iterator[np.ndarray[Any, Any]]:
    taken = 0
    for stream in context.streams:
        starts = stream.documents["start"].tolist()
        for start, end in itertools.pairwise([*starts, stream.num_tokens]):
            if taken >= limit:
                return
            taken += end - start
            yield stream.read(start + 1, end - start - 1)
