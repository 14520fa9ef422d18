"""The model card: README.md of a released folder, with the YAML head that model hubs read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hanlin.models import Decoder, count_parameters
from hanlin.training import TrainingResult

if TYPE_CHECKING:
    from hanlin.stages.context import StageContext

__all__ = ["model_card"]


def model_card(context: StageContext, model: Decoder, result: TrainingResult) -> str:
    """Return what the model is, what it was trained on, and how well it predicts held-out text."""
    shape = model.config
    sources = ", ".join(source.label for source in context.recipe.corpus.sources)
    lines = [
        "---",
        "language: [zh, en]",
        "pipeline_tag: text-generation",
        "library_name: transformers",
        "tags: [hanlin]",
        "---",
        "",
        f"# {context.recipe.name}",
        "",
        f"A {shape.family} decoder of {count_parameters(shape).total:,} parameters "
        f"({shape.num_layers} layers, width {shape.hidden_size}, context {shape.context_length}), "
        f"trained by Hanlin in the stage `{context.stage.name}` on {result.tokens:,} "
        f"{_counted(context)}.",
        "",
        f"- Sources: {sources}",
        f"- Tokenizer: {context.tokenizer.kind}, {context.tokenizer.vocab_size:,} entries",
        *(
            f"- Held-out bits per byte, {language}: {scores['bits_per_byte']:.4f}"
            for language, scores in result.evaluation.items()
        ),
        "",
        "The licence of the sources holds for what is made from them; check it before sharing.",
    ]
    return "\n".join(lines) + "\n"


def _counted(context: StageContext) -> str:
    """Return what the loss of the stage is counted in."""
    task = context.stage.task
    return "preference pairs" if task is not None and task.preference else "tokens"
