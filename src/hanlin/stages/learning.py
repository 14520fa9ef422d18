"""What every stage that learns does: the one loop, watched by held-out text and by samples.

A stage plugs in an objective and data; evaluation, sample texts and the release are the same.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

from hanlin.evaluation import DecoderScorer, HeldOutDocument, bits_per_byte
from hanlin.generation import Engine
from hanlin.models import Decoder, save_release
from hanlin.objectives import Objective
from hanlin.stages.card import model_card
from hanlin.stages.context import StageContext, StageResult
from hanlin.training import Batches, TrainingResult, join_world, train

__all__ = ["learn", "release"]


def learn(
    context: StageContext,
    model: Decoder,
    objective: Objective[Any],
    batches: Batches | None = None,
) -> TrainingResult:
    """Train `model` in place on the stage's text (or on `batches`), or go on with that."""
    return train(
        model,
        objective,
        batches or context.order(context.row_length(model)),
        context.training,
        folder=context.folder,
        seed=context.recipe.seed,
        stage=context.stage.name,
        fingerprints=context.fingerprints,
        evaluate=partial(
            _evaluate, documents=context.held_out_documents(), eot_id=context.tokenizer.eot_id
        ),
        sample=partial(_sample, context=context),
        display=context.display,
        bytes_per_token=context.bytes_per_token(),
        metrics=context.metrics,
        events=context.events,
        device=context.device,
        halt=context.halt,
    )


def release(context: StageContext, model: Decoder, training: TrainingResult) -> StageResult:
    """Write the stage's released folder, on the first process, and return what the stage made."""
    with join_world() as world:
        world.on_first(lambda: _save(context, model, training))
    return StageResult(model=model, training=training)


def _save(context: StageContext, model: Decoder, training: TrainingResult) -> None:
    save_release(
        context.folder / "model",
        model,
        tokenizer=context.tokenizer,
        card=model_card(context, model, training),
        sampling=context.recipe.sampling,
    )


def _evaluate(
    model: nn.Module, step: int, *, documents: list[HeldOutDocument], eot_id: int
) -> dict[str, dict[str, float]]:
    """Return held-out bits per byte by language."""
    del step
    assert isinstance(model, Decoder)
    if not documents:
        return {}
    report = bits_per_byte(DecoderScorer(model, eot_id=eot_id), documents)
    return {
        language: {"bits_per_byte": bits.bits_per_byte}
        for language, bits in report.by_language.items()
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
