"""What a stage changed of chosen parts of the corpus: bits per byte before it and after it.

Replayed parts are measured always; `watch` names others, or the stage's own. Each part is measured
by itself, so that models that read different parts can be compared on one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hanlin.evaluation import BitsReport, DecoderScorer, HeldOutDocument, bits_per_byte
from hanlin.models import Decoder, load_release
from hanlin.stages.context import StageContext

__all__ = ["measure_forgetting"]


def measure_forgetting(context: StageContext, model: Decoder) -> dict[str, Any]:
    """Return under `replay` and `watched` each part's test text, by language, before and after.

    `forgotten` is the rise in bits per byte as a share; below zero the part is known better. Of a
    part that the stage reads, `gained` is the fall. A stage that starts anew has neither.
    """
    stage = context.stage
    groups = {"watched": stage.watch}
    if stage.replay is not None and context.start is not None:
        groups["replay"] = stage.replay.parts
    parts = list(dict.fromkeys(part for group in groups.values() for part in group))
    if not parts:
        return {}
    device = model.embedding.weight.device
    before = load_release(context.start, device=device) if context.start else None
    measured = {part: _change(context, before, model, part) for part in parts}
    return {
        name: {part: measured[part] for part in group} for name, group in groups.items() if group
    }


def _change(
    context: StageContext, before: Decoder | None, model: Decoder, part: str
) -> dict[str, dict[str, float]]:
    """Return the bits per byte of one part by language; nothing where none of it is held out."""
    documents = context.held_out_documents("test", parts=[part])
    if not documents:
        return {}
    eot_id = context.tokenizer.eot_id
    now = _measure(model, documents, eot_id)
    found = {
        language: {"bits_per_byte": bits.bits_per_byte}
        for language, bits in now.by_language.items()
    }
    if before is None:
        return found
    for language, then in _measure(before, documents, eot_id).by_language.items():
        rise = now.by_language[language].bits / then.bits - 1
        change = {"gained": -rise} if part in context.parts else {"forgotten": rise}
        found[language] |= {"bits_per_byte_before": then.bits_per_byte, **change}
    return found


def _measure(model: Decoder, documents: Sequence[HeldOutDocument], eot_id: int) -> BitsReport:
    return bits_per_byte(DecoderScorer(model, eot_id=eot_id), documents)
