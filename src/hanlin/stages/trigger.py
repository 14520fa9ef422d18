"""Whether the starting model has reached the level at which it may be frozen.

A level is judged on what was measured while the model learnt: the last evaluations of the stage it
comes from. They are a pure function of the run, so the answer is the same however often the run was
stopped. That stage goes on until it is there if its `training.until` says so; here nothing is
waited for. A released folder brings no evaluations along and is measured once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hanlin.config import LevelConfig
from hanlin.errors import QualityGateError
from hanlin.evaluation import DecoderScorer, HeldOutDocument, bits_per_byte
from hanlin.models import Decoder
from hanlin.records import read_jsonl
from hanlin.stages.context import StageContext
from hanlin.training import find_metric, has_reached

__all__ = ["check_trigger", "measure_bits"]


def check_trigger(context: StageContext, trigger: LevelConfig, model: Decoder) -> None:
    """Check that the model a stage starts from has reached a level.

    Raises:
        QualityGateError: it has not; what was measured is named.
    """
    last = _evaluations(context, model)[-trigger.times :]
    if len(last) == trigger.times and all(has_reached(trigger, found) for found in last):
        return
    sign = "<=" if trigger.lower_is_better else ">="
    shown = ", ".join(f"{find_metric(trigger.metric, found):.4f}" for found in last) or "none"
    name = context.stage.name
    raise QualityGateError(
        f"The stage {name!r} waits for {trigger.metric} {sign} {trigger.level:g} in "
        f"{trigger.times} evaluations in a row of {context.stage.from_!r}; the last were {shown}. "
        "Nothing was frozen. Train the starting model longer (in a new run, or in a stage between) "
        f"or change the level in [stages.expand.trigger] of {name!r}."
    )


def measure_bits(
    model: Decoder, documents: Sequence[HeldOutDocument], eot_id: int
) -> dict[str, float]:
    """Return bits per byte by language; nothing where there are no documents."""
    if not documents:
        return {}
    report = bits_per_byte(DecoderScorer(model, eot_id=eot_id), documents)
    return {language: bits.bits_per_byte for language, bits in report.by_language.items()}


def _evaluations(context: StageContext, model: Decoder) -> list[dict[str, Any]]:
    source = context.stage.from_
    if source not in [stage.name for stage in context.recipe.stages]:
        documents = context.held_out_documents(parts=context.earlier_parts)
        bits = measure_bits(model, documents, context.tokenizer.eot_id)
        return [{language: {"bits_per_byte": value} for language, value in bits.items()}]
    return [
        record["evaluation"]
        for record in read_jsonl(context.metrics)
        if record.get("stage") == source and record.get("kind") == "evaluation"
    ]
