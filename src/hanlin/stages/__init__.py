"""The stages: each composes an objective, data and a schedule, and calls the one loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hanlin.config import StageKind
from hanlin.stages.context import StageContext, StageResult
from hanlin.stages.language import check_language, run_language

__all__ = ["StageContext", "StageResult", "check_language", "run_stage"]

_STAGES: Mapping[StageKind, Callable[[StageContext], StageResult]] = {"language": run_language}


def run_stage(context: StageContext) -> StageResult:
    """Run the stage that the context describes, or go on with it."""
    return _STAGES[context.stage.kind](context)
