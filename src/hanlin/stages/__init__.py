"""The stages: each composes an objective, data and a schedule, and calls the one loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hanlin.config import StageKind
from hanlin.stages.baseline import prepare_ngram
from hanlin.stages.caching import target_record, taught_steps
from hanlin.stages.checkpoint import run_checkpoint
from hanlin.stages.context import StageContext, StageResult, row_length
from hanlin.stages.distil import check_context, check_tokenizer, run_distil, teaching_flops
from hanlin.stages.expand import run_expand
from hanlin.stages.generate import run_generate
from hanlin.stages.language import check_language, run_language
from hanlin.stages.passages import (
    PassageSource,
    check_passages,
    continue_passages,
    take_passages,
)
from hanlin.stages.task import run_task

__all__ = [
    "PassageSource",
    "StageContext",
    "StageResult",
    "check_context",
    "check_language",
    "check_passages",
    "check_tokenizer",
    "continue_passages",
    "prepare_ngram",
    "row_length",
    "run_stage",
    "take_passages",
    "target_record",
    "taught_steps",
    "teaching_flops",
]

_STAGES: Mapping[StageKind, Callable[[StageContext], StageResult]] = {
    "distil": run_distil,
    "language": run_language,
    "task": run_task,
    "expand": run_expand,
    "generate": run_generate,
    "checkpoint": lambda context: run_checkpoint(context, run_stage),
}


def run_stage(context: StageContext) -> StageResult:
    """Run the stage that the context describes, or go on with it."""
    return _STAGES[context.stage.kind](context)
