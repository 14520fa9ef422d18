"""The language stage: next-token prediction on unlabelled text."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

from hanlin.evaluation import DecoderScorer, HeldOutDocument, bits_per_byte
from hanlin.generation import Engine
from hanlin.models import Decoder, save_release
from hanlin.objectives import NextToken
from hanlin.stages.card import model_card
from hanlin.stages.context import StageContext, StageResult
from hanlin.training import TrainingResult, join_world, train

__all__ = ["run_language"]


def run_language(context: StageContext) -> StageResult:
    """Train a decoder on the stage's parts of the corpus and release it."""
    model = context.model()
    order = context.order(context.row_length(model))
    held_out = context.held_out_documents()
    result = train(
        model,
        NextToken(),
        order,
        context.training,
        folder=context.folder,
        seed=context.recipe.seed,
        stage=context.stage.name,
        fingerprints=context.fingerprints,
        evaluate=partial(_evaluate, documents=held_out, eot_id=context.tokenizer.eot_id),
        sample=partial(_sample, context=context),
        display=context.display,
        bytes_per_token=context.bytes_per_token(),
        metrics=context.metrics,
        events=context.events,
        device=context.device,
    )
    with join_world() as world:
        world.on_first(lambda: _release(context, model, result))
    return StageResult(model=model, training=result)


def _release(context: StageContext, model: Decoder, result: TrainingResult) -> None:
    save_release(
        context.folder / "model",
        model,
        tokenizer=context.tokenizer,
        card=model_card(context, model, result),
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
