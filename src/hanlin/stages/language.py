"""The language stage: next-token prediction on unlabelled text."""

from __future__ import annotations

from hanlin.objectives import NextToken
from hanlin.stages.context import StageContext, StageResult
from hanlin.stages.learning import learn, release

__all__ = ["run_language"]


def run_language(context: StageContext) -> StageResult:
    """Train a decoder on the stage's parts of the corpus and release it."""
    model = context.model()
    return release(context, model, learn(context, model, NextToken(markers=context.markers)))
