"""What every stage that learns does: the one loop, watched by held-out text and by samples.

A stage plugs in an objective and data; evaluation, sample texts and the release are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import nn

from hanlin.evaluation import DecoderScorer, HeldOutDocument, bits_per_byte
from hanlin.generation import Engine
from hanlin.models import Decoder, ReleasedHead, list_heads, save_release
from hanlin.objectives import Objective
from hanlin.stages.card import model_card
from hanlin.stages.context import StageContext, StageResult
from hanlin.stages.forgetting import measure_forgetting
from hanlin.stages.mixing import reading_order
from hanlin.training import Batches, TrainingResult, join_world, train

__all__ = ["learn", "release"]


def learn(
    context: StageContext,
    model: Decoder,
    objective: Objective[Any],
    batches: Batches | None = None,
    *,
    is_text: bool = True,
) -> TrainingResult:
    """Train `model` in place on the stage's text (or on `batches`), or go on with that.

    Where the batches are no text (`is_text`), their loss is not told in bits per byte.
    """
    return train(
        model,
        objective,
        batches or reading_order(context, context.row_length(model)),
        context.training,
        folder=context.folder,
        seed=context.recipe.seed,
        stage=context.stage.name,
        fingerprints=context.fingerprints,
        evaluate=partial(_evaluate, documents=_held_out(context), eot_id=context.tokenizer.eot_id),
        sample=partial(_sample, context=context),
        display=context.display,
        bytes_per_token=context.bytes_per_token() if is_text else None,
        metrics=context.metrics,
        events=context.events,
        device=context.device,
        inherit=context.inherited,
        halt=context.halt,
    )


def release(
    context: StageContext,
    model: Decoder,
    training: TrainingResult,
    heads: Sequence[ReleasedHead] = (),
) -> StageResult:
    """Write the stage's released folder, on the first process, and return what the stage made.

    Heads that lay beside the starting model and are not among `heads` belong to other weights.
    """
    with join_world() as world:
        world.on_first(lambda: _save(context, model, training, heads))
        figures = world.on_first(lambda: measure_forgetting(context, model))
    return StageResult(model=model, training=training, figures=figures)


def _save(
    context: StageContext,
    model: Decoder,
    training: TrainingResult,
    heads: Sequence[ReleasedHead],
) -> None:
    before = list_heads(context.start) if context.start else []
    lost = sorted(set(before) - {released.name for released in heads})
    if lost:
        context.say(
            f"The heads {', '.join(lost)} were learnt on the weights before this stage and are "
            "left out; teach them again on the new ones"
        )
    save_release(
        context.folder / "model",
        model,
        tokenizer=context.tokenizer,
        card=model_card(context, model, training),
        sampling=context.recipe.sampling,
        learnt=context.learnt,
        heads=heads,
    )


def _held_out(context: StageContext) -> dict[str, list[HeldOutDocument]]:
    """Return what is watched: the stage's own text, and after a mark each part that it replays."""
    replayed = context.stage.replay.parts if context.stage.replay else ()
    return {
        "": context.held_out_documents(),
        **{f", replay {part}": context.held_out_documents(parts=[part]) for part in replayed},
    }


def _evaluate(
    model: nn.Module, step: int, *, documents: dict[str, list[HeldOutDocument]], eot_id: int
) -> dict[str, dict[str, float]]:
    """Return held-out bits per byte by language: `zh`, and `zh, replay PART` of replayed text."""
    del step
    assert isinstance(model, Decoder)
    scorer = DecoderScorer(model, eot_id=eot_id)
    return {
        f"{language}{mark}": {"bits_per_byte": bits.bits_per_byte}
        for mark, group in documents.items()
        if group
        for language, bits in bits_per_byte(scorer, group).by_language.items()
    }


def _sample(model: nn.Module, step: int, *, context: StageContext) -> dict[str, Any]:
    """Return a continuation of each of the recipe's prompts, drawn with the same seed always."""
    del step
    assert isinstance(model, Decoder)
    sampling = context.recipe.sampling.model_copy(update={"seed": context.recipe.seed})
    engine = Engine(model, context.tokenizer)
    eot_id = context.tokenizer.eot_id
    prompts = [[eot_id, *context.tokenizer.encode(prompt)] for prompt in context.recipe.prompts]
    completions = engine.generate_batch(prompts, sampling)
    samples = [
        {"prompt": prompt, "text": completion.text}
        for prompt, completion in zip(context.recipe.prompts, completions, strict=True)
    ]
    for sample in samples:
        context.say(f"  | {sample['prompt']}{sample['text']}")
    return {"texts": samples}
