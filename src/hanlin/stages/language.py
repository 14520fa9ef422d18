"""The language stage: next-token prediction on unlabelled text, and what its table adds.

Without `[stages.language]` it is cross-entropy alone. With it, own text is sampled in the midst of
training; the figures say what that cost, in operations and as a share of the time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hanlin.config import LanguageConfig, StageConfig
from hanlin.errors import RecipeError
from hanlin.models import Decoder, flops_per_token, forward_flops_per_token
from hanlin.objectives import LanguageMixture, NextToken
from hanlin.stages.context import StageContext, StageResult
from hanlin.stages.learning import learn, release
from hanlin.stages.mixture import language_mixture
from hanlin.training import TrainingResult

__all__ = ["check_language", "run_language"]


def run_language(context: StageContext) -> StageResult:
    """Train a decoder on the stage's parts of the corpus and release it."""
    model, config = context.model(), context.stage.language
    if config is None:
        return release(context, model, learn(context, model, NextToken(markers=context.markers)))
    check_language(context.stage, context.row_length(model))
    objective = language_mixture(context, model, config)
    training = learn(context, model, objective)
    figures = _figures(context, model, config, objective, training)
    released = release(context, model, training)
    return replace(released, figures={**released.figures, **figures})


def check_language(stage: StageConfig, row_length: int) -> None:
    """Check that a stage's table can be carried out with rows of that length.

    Raises:
        RecipeError: the continuations do not fit, or there is no reference to keep near.
    """
    config = stage.language
    if config is None:
        return
    if config.samples and config.prefix_tokens + config.new_tokens > row_length:
        raise RecipeError(
            f"The stage {stage.name!r} continues language.prefix_tokens {config.prefix_tokens} by "
            f"language.new_tokens {config.new_tokens}, together more than its rows of "
            f"{row_length}. Lower one of them."
        )
    if config.needs_reference and not stage.from_:
        raise RecipeError(
            f"The stage {stage.name!r} has language.kl {config.kl}, which compares the model with "
            "the release that the stage starts `from`, and starts from none. Give `from`, or set "
            "language.kl = 0."
        )


def _figures(
    context: StageContext,
    model: Decoder,
    config: LanguageConfig,
    objective: LanguageMixture,
    training: TrainingResult,
) -> dict[str, Any]:
    """Return what sampling cost: operations of all steps, and shares of the time."""
    tally, shape = objective.writer.tally, model.config
    length = config.prefix_tokens + config.new_tokens
    read, learnt, compared = (int(count) for count in tally.tokens.tolist())
    forward = forward_flops_per_token(shape, length)
    seconds = max(training.seconds, 1e-9)
    return {
        "extra_flops": (read + compared) * forward + learnt * flops_per_token(shape, length),
        "sampled_tokens": read,
        "learnt_own_tokens": learnt,
        "sampling_share": tally.writing / seconds,
        "scoring_share": tally.scoring / seconds,
    }
