"""The stages: each composes an objective, data and a schedule, and calls the one loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hanlin.config import StageKind
from hanlin.stages.context import StageContext, StageResult, row_length
from hanlin.stages.distil import check_context, check_tokenizer, run_distil
from hanlin.stages.language import run_language

__all__ = [
    "StageContext",
    "StageResult",
    "check_context",
    "check_tokenizer",
    "row_length",
    "run_stage",
]

_STAGES: Mapping[StageKind, Callable[[StageContext], StageResult]] = {
    "distil": run_distil,
    "language": run_language,
}


def run_stage(context: StageContext) -> StageResult:
    """Run the stage that the context describes, or go on with it."""
    return _STAGES[context.stage.kind](context)
