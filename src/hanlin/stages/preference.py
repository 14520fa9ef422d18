"""A task stage that learns from pairs of replies which one is preferred.

The reference of the objective is the model that the stage starts from. On pairs that were kept
apart, the share whose preferred reply gained more than the rejected one is measured; the starting
model itself gains nothing on either, so that its share is one half by construction. Beside it
stand the share whose preferred reply is the likelier one a token, before and after, and what became
of the probability of the preferred reply itself, which may well have fallen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hanlin.config import ExpandConfig, PreferenceConfig, TaskStageConfig
from hanlin.data import Order, PreferenceRows
from hanlin.errors import DataError
from hanlin.evaluation import DecoderScorer, Share
from hanlin.models import Decoder, forward_flops_per_token, step_flops_per_token
from hanlin.models.expansion import (
    apply_expansion,
    begin_expansion,
    extract_expansion,
)
from hanlin.objectives import Preference
from hanlin.stages.context import StageContext, StageResult
from hanlin.stages.learning import learn, release
from hanlin.stages.trigger import measure_bits
from hanlin.tasks.base import Encoded
from hanlin.tasks.preferences import EncodedPair, gather_pairs
from hanlin.training import TrainingResult, choose_placement, join_world

__all__ = ["measure_preference", "run_preference"]

_CONTROL = 0.5
"""The share of pairs that the reference itself gets right: each is a tie."""


def run_preference(
    context: StageContext, config: TaskStageConfig, preference: PreferenceConfig
) -> StageResult:
    """Teach the starting model which replies are preferred, measure it, and release it."""
    core = context.model()
    length = context.row_length(core)
    with join_world() as world:
        pairs = gather_pairs(preference, context.tokenizer, length, num_held_out=config.held_out)
        context.say(
            f"Preference: {pairs.rows.num_rows:,} pairs, {len(pairs.held_out):,} kept apart, "
            f"{pairs.too_long:,} too long for a row"
        )
        device = choose_placement(context.device, local_rank=world.local_rank).device
        before = world.on_first(lambda: _measure(context, core.to(device), pairs.held_out))
        width = 2 * (pairs.rows.width - 1)
        order = _order(context, pairs.rows, width)
        model, training, extra = _train(context, config, preference, core.cpu(), order, width)
        after = world.on_first(lambda: _measure(context, model.to(device), pairs.held_out))
    released = release(context, model, training)
    figures = {
        "preference": {
            "pairs": pairs.rows.num_rows,
            "too_long": pairs.too_long,
            **measure_preference(pairs.held_out, before["scores"], after["scores"]),
        },
        "plain_text": {"before": before["text"], "after": after["text"]},
        "read_tokens": order.rows_per_step * width * training.steps,
        "extra_flops": extra,
    }
    return StageResult(
        model=released.model, training=training, figures={**released.figures, **figures}
    )


def _order(context: StageContext, rows: PreferenceRows, width: int) -> Order:
    batch_tokens = context.stage.learning.batch_tokens
    if batch_tokens < width:
        raise DataError(
            f"A step has no whole pair: training.batch_tokens is {batch_tokens}, and the longest "
            f"pair has {width} with its prompts. Raise it, or leave the longest pairs out."
        )
    return Order.mixed(
        {"pairs": rows},
        shares={"pairs": 1.0},
        rows_per_step=batch_tokens // width,
        seed=context.recipe.seed,
    )


def _train(
    context: StageContext,
    config: TaskStageConfig,
    preference: PreferenceConfig,
    core: Decoder,
    order: Order,
    width: int,
) -> tuple[Decoder, TrainingResult, int]:
    """Train all weights or corrections; return also the operations beyond the targets' own."""
    reference = None if preference.loss == "simpo" else context.model()
    objective = Preference(reference, preference)
    half = width // 2
    if config.method == "full":
        training = learn(context, core, objective, order, is_text=False)
        cost, model = step_flops_per_token(core, half), core
    else:
        settings = ExpandConfig(method="lora", rank=config.rank, alpha=config.alpha)
        generator = torch.Generator().manual_seed(context.recipe.seed)
        module = begin_expansion(core, settings, generator)
        training = learn(context, module, objective, order, is_text=False)
        cost = step_flops_per_token(module, half)
        model = apply_expansion(core, extract_expansion(module, settings))
    if reference is not None:
        cost += forward_flops_per_token(reference.config, half)
    read = order.rows_per_step * width * training.steps
    # What the loop counts are pairs; it prices each as one token.
    return model, training, read * cost - training.flops


def _measure(context: StageContext, model: Decoder, pairs: Sequence[EncodedPair]) -> dict[str, Any]:
    """Return ln p of both replies of each pair, and test bits per byte of the plain text."""
    documents, eot_id = context.held_out_documents("test"), context.tokenizer.eot_id
    return {
        "scores": _score(model, pairs, eot_id),
        "text": measure_bits(model, documents, eot_id),
    }


def _score(model: Decoder, pairs: Sequence[EncodedPair], eot_id: int) -> NDArray[np.float64]:
    """Return ln p of the preferred and of the rejected reply of each pair, (N, 2)."""
    replies = [reply for pair in pairs for reply in (pair.chosen, pair.rejected)]
    # The scorer itself puts <|endoftext|>, which begins each example, before a document.
    tails = DecoderScorer(model, eot_id=eot_id).tails(
        [np.array(reply.ids[1:]) for reply in replies],
        [len(reply.prompt) - 1 for reply in replies],
    )
    return np.array([tail.logprobs.sum() for tail in tails]).reshape(-1, 2)


def measure_preference(
    pairs: Sequence[EncodedPair], before: NDArray[np.float64], after: NDArray[np.float64]
) -> dict[str, Any]:
    """Return by language what a model makes of pairs (N, 2) that it never saw, and the control."""
    if not pairs:
        return {"held_out": {}}
    languages = np.array([pair.language for pair in pairs])
    lengths = np.array([[_answer(pair.chosen), _answer(pair.rejected)] for pair in pairs])
    return {
        "held_out": {
            language: _figures(before[here], after[here], lengths[here])
            for language in sorted(set(languages.tolist()))
            for here in [languages == language]
        }
    }


def _figures(
    before: NDArray[np.float64], after: NDArray[np.float64], lengths: NDArray[np.int64]
) -> dict[str, Any]:
    gains = after - before  # (N, 2)
    margins = gains[:, 0] - gains[:, 1]
    likelier = {
        when: _share(scores[:, 0] / lengths[:, 0] - scores[:, 1] / lengths[:, 1])
        for when, scores in (("before", before), ("after", after))
    }
    return {
        "pairs": len(margins),
        "accuracy": _share(margins),
        "margin": float(margins.mean()),
        "margin_error": float(margins.std(ddof=1) / math.sqrt(len(margins)))
        if len(margins) > 1
        else None,
        "chosen_gain": float(gains[:, 0].mean()),
        "rejected_gain": float(gains[:, 1].mean()),
        "likelier": likelier,
        "controls": {"reference": _CONTROL},
    }


def _share(differences: NDArray[np.float64]) -> dict[str, Any]:
    """Return the share of differences above zero; one of zero counts half."""
    passed = float((0.5 + 0.5 * np.sign(differences)).sum())
    return Share(passed, len(differences)).as_dict()


def _answer(reply: Encoded) -> int:
    return len(reply.ids) - len(reply.prompt)
