"""What came of transformed text: whether it leaks into plain texts, and what reading it gave.

`leakage` is the share of unprompted samples that look reversed, beside that of human text. It is
measured where a stage learns transformed text. `reversal` asks for the facts that a toy world
teaches the other way round; it is measured wherever the stage reads such a world, so that a stage
without transformed text can stand beside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hanlin.evaluation import (
    DecoderScorer,
    fit_direction_scorers,
    measure_leakage,
    measure_reversal,
)
from hanlin.models import Decoder
from hanlin.runs.prepare import training_texts
from hanlin.stages import StageContext
from hanlin.text.facts import Fact, facts_of

__all__ = ["measure_transformed"]

_FITTED = 1_000_000
"""Characters of training text that the two directions are fitted on at most."""
_CANDIDATES = 10


def measure_transformed(
    context: StageContext, model: Decoder, samples: Sequence[str], human: Sequence[str]
) -> dict[str, Any]:
    """Return leakage and reversal by name, as far as the stage has to do with them."""
    figures: dict[str, Any] = {}
    if context.stage.augment is not None and samples:
        texts = _first(training_texts(context.corpus, context.parts), _FITTED)
        scorers = fit_direction_scorers(texts, context.tokenizer)
        leakage = measure_leakage(samples, human, context.tokenizer, *scorers)
        figures["leakage"] = leakage.as_dict()
    facts = _facts(context)
    fewest = min((sum(f.language == g.language for g in facts) for f in facts), default=0)
    if fewest > 1:
        scorer = DecoderScorer(model, eot_id=context.tokenizer.eot_id)
        report = measure_reversal(
            scorer, context.tokenizer, facts, candidates=min(_CANDIDATES, fewest)
        )
        figures["reversal"] = report.as_dict()
    return figures


def _facts(context: StageContext) -> list[Fact]:
    worlds = [
        source.world
        for source in context.recipe.corpus.sources
        if source.world is not None and source.part in context.parts
    ]
    return list(dict.fromkeys(fact for world in worlds for fact in facts_of(world)))


def _first(texts: Iterable[str], characters: int) -> Iterator[str]:
    """Yield texts until they have that many characters."""
    for text in texts:
        if characters <= 0:
            return
        characters -= len(text)
        yield text
