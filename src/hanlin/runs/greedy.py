"""How a model repeats itself where it always takes the likeliest word, beside what people wrote.

Greedy decoding is where repetition shows most (Welleck et al. 2020, arXiv 1908.04319). The first
test documents of each language give a prefix of 32 tokens; the model goes on for 96 at most, and
each of its texts is cut to as many tokens as the human one after the same prefix has. Nothing is
drawn by chance.

    figures["greedy"]["zh"]["seq_rep_4"], figures["greedy"]["zh"]["human"]["seq_rep_4"]

`gap` holds how far it lies from human text: `distinct`, the mean over n = 1, 2, 3 of the difference
in distinct-n, and `zipf_slope`.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from hanlin.config import SamplingConfig
from hanlin.evaluation import Continuation, measure_repetition
from hanlin.generation import Engine
from hanlin.models import Decoder
from hanlin.stages import PassageSource, StageContext, continue_passages, take_passages

__all__ = ["measure_greedy"]

_PREFIX, _NEW, _FEWEST_NEW = 32, 96, 8
_SPARE = 9
"""Tokens of the context for the mark that begins a text and for prefixes that end later."""
_SHOWN = ("seq_rep_4", "distinct_1", "distinct_2", "distinct_3", "zipf_slope", "longest_run_max")


def measure_greedy(context: StageContext, model: Decoder) -> dict[str, Any]:
    """Return the measures by language; nothing where the model's context is too short for it."""
    prompts, room = context.recipe.evaluation.greedy, model.config.context_length
    prefix = min(_PREFIX, room // 2)
    new = min(_NEW, room - prefix - _SPARE)
    if not prompts or new < _FEWEST_NEW:
        return {}
    source = PassageSource(context.corpus, context.parts, context.tokenizer)
    passages = take_passages(
        source, "test", prompts=prompts, prompt_tokens=prefix, max_tokens=new, room=room
    )
    if not passages:
        return {}
    engine = Engine(model, context.tokenizer)
    sampling = SamplingConfig(max_tokens=new, temperature=0, top_p=1)
    written = continue_passages(engine, passages, sampling)
    return {
        language: _compare(_cut(engine, written[language], human), human, language)
        for language, human in passages.items()
    }


def _cut(
    engine: Engine, written: Sequence[Continuation], human: Sequence[Continuation]
) -> list[str]:
    """Return what was written, each text as long as the human one in tokens."""
    pairs = zip(written, human, strict=True)
    kept = [list(ours.ids)[: len(theirs.ids)] for ours, theirs in pairs]
    return [engine.tokenizer.decode(ids).rstrip("\ufffd") for ids in kept]


def _compare(texts: Sequence[str], human: Sequence[Continuation], language: str) -> dict[str, Any]:
    ours, theirs = (
        {name: measure_repetition(group, language).as_dict()[name] for name in _SHOWN}
        for group in (texts, [passage.text for passage in human])
    )
    distinct = [_gap(ours, theirs, f"distinct_{n}") for n in (1, 2, 3)]
    known = [gap for gap in distinct if gap is not None]
    gap = {
        "distinct": statistics.fmean(known) if len(known) == len(distinct) else None,
        "zipf_slope": _gap(ours, theirs, "zipf_slope"),
    }
    return {"texts": len(texts), **ours, "human": theirs, "gap": gap}


def _gap(ours: Mapping[str, Any], theirs: Mapping[str, Any], name: str) -> float | None:
    if ours[name] is None or theirs[name] is None:
        return None
    return abs(float(ours[name]) - float(theirs[name]))
