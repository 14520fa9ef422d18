"""How much of the replayed parts a stage forgot: bits per byte before it and after it."""

from __future__ import annotations

from typing import Any

from hanlin.evaluation import DecoderScorer, bits_per_byte
from hanlin.models import Decoder, load_release
from hanlin.stages.context import StageContext

__all__ = ["measure_forgetting"]


def measure_forgetting(context: StageContext, model: Decoder) -> dict[str, Any]:
    """Return under `replay` each replayed part's test text, by language, before and after.

    `forgotten` is the rise in bits per byte as a share; below zero the part is known better.
    """
    replay = context.stage.replay
    if replay is None or context.start is None:
        return {}
    before = load_release(context.start, device=model.embedding.weight.device)
    eot_id = context.tokenizer.eot_id
    measured: dict[str, dict[str, dict[str, float]]] = {}
    for part in replay.parts:
        documents = context.held_out_documents("test", parts=[part])
        then, now = (
            bits_per_byte(DecoderScorer(each, eot_id=eot_id), documents).by_language
            for each in (before, model)
        )
        measured[part] = {
            language: {
                "bits_per_byte_before": then[language].bits_per_byte,
                "bits_per_byte": now[language].bits_per_byte,
                "forgotten": now[language].bits / then[language].bits - 1,
            }
            for language in now
        }
    return {"replay": measured}
