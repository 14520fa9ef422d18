"""What a language stage minimises when it has a table: the mixture, with all that it measures by.

The frequencies of the training tokens say which are exempt and which are overused; an n-gram model
fitted on the same text judges fluency; the release that the stage starts from is the reference.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hanlin.config import LanguageConfig
from hanlin.models import Decoder, load_release
from hanlin.models.ngram import KneserNey
from hanlin.objectives import (
    Critic,
    Judge,
    LanguageMixture,
    Overuse,
    RewardBook,
    Writer,
    count_tokens,
    exempt_tokens,
)
from hanlin.objectives.rewards import (
    Critique,
    Ending,
    Fluency,
    Lexical,
    Overlap,
    Repetition,
    Reward,
)
from hanlin.records import append_jsonl
from hanlin.stages.baseline import fit_ngram
from hanlin.stages.context import StageContext
from hanlin.training import join_world

__all__ = ["language_mixture"]


def language_mixture(
    context: StageContext, model: Decoder, config: LanguageConfig
) -> LanguageMixture:
    """Return the objective that the stage's table describes."""
    tokenizer, rows = context.tokenizer, model.config.vocab_size
    counts = count_tokens(context.streams, tokenizer.vocab_size)
    exempt = exempt_tokens(tokenizer, counts, commonest=config.exempt_common, rows=rows)
    allowed = (~exempt).float()
    critic = None
    if config.policy and config.rewards.critic:
        width, seed = model.config.hidden_size, context.recipe.seed
        critic = Critic(width, rate=config.critic_rate, steps=config.critic_steps, seed=seed)
    rewards = list(_rewards(context, config, counts)) if config.policy else []
    book = RewardBook(rewards, config.rewards.model_dump(), alarm=lambda text: _say(context, text))
    reference = None
    if config.needs_reference:
        assert context.start is not None  # checked
        reference = load_release(context.start)
    writer = Writer(
        config,
        tokenizer,
        allowed=allowed,
        overuse=Overuse(counts, rows),
        judge=Judge(book, tokenizer, critic),
        reference=reference,
    )
    return LanguageMixture(
        config,
        writer=writer,
        allowed=allowed,
        eot_id=tokenizer.eot_id,
        markers=context.markers,
    )


def _rewards(
    context: StageContext, config: LanguageConfig, counts: NDArray[np.int64]
) -> Iterator[Reward]:
    yield from (Overlap(), Repetition(), Ending(), Critique(), Lexical.of(counts))
    if config.rewards.fluency:
        yield Fluency(_ngram(context, config))


def _ngram(context: StageContext, config: LanguageConfig) -> KneserNey:
    """Return the n-gram model that judges fluency; the first process fits it, all read it."""

    place = context.folder / "ngram"
    fit = partial(fit_ngram, context, place, config.fluency_order, config.fluency_tokens)

    def fit_on_disk() -> None:
        fit()  # what is returned would go to all processes, and the folder serves them

    with join_world() as world:
        world.on_first(fit_on_disk)
    return fit()


def _say(context: StageContext, message: str) -> None:
    """Say something aloud and keep it as an event, on the first process."""
    with join_world() as world:
        if not world.first:
            return
    context.say(f"warning: {message}")
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    name = context.stage.name
    append_jsonl(context.events, {"time": now, "event": "alarm", "stage": name, "message": message})
