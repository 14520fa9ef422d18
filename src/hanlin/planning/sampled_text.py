"""What a language stage writes and reads of its own text, in tokens and operations.

A share of the batches gives prefixes, each of which is continued several times; the stage counts
what it really wrote (`hanlin.objectives.writer`). Here every continuation is taken to be as long
as it may be, so that this is the most that it can come to.
"""

from __future__ import annotations

from dataclasses import dataclass

from hanlin.config import LanguageConfig, ModelConfig, StageConfig

__all__ = ["SampledText", "choose_rows", "count_sampled"]


@dataclass(frozen=True, slots=True)
class SampledText:
    """What a language stage writes while it learns."""

    batches: int
    """Batches that sample."""
    rows: int
    """Continuations written side by side in each."""
    new_tokens: int
    flops: float
    """Operations of writing, of learning from it, and of all that reads it."""
    learnt_flops: float
    """Those of `flops` that are not spent token by token."""


def count_sampled(
    stage: StageConfig, shape: ModelConfig, rows: int, length: int
) -> SampledText | None:
    """Return what a language stage writes in steps of so many rows; None for nothing."""
    from hanlin.models import flops_per_token, forward_flops_per_token

    config = stage.language
    if config is None or not config.samples:
        return None
    microbatch = stage.learning.microbatch or choose_rows(shape, rows, length)
    batches = int(stage.learning.num_steps * (rows // microbatch) * config.batch_share)
    prefixes = max(1, round(config.row_share * microbatch))
    copies, read, learnt, compared = _tokens_of_prefix(config)
    whole = config.prefix_tokens + config.new_tokens
    forward = forward_flops_per_token(shape, whole)
    writing = float(batches * prefixes * read * forward)
    learning = float(
        batches * prefixes * (compared * forward + learnt * flops_per_token(shape, whole))
    )
    return SampledText(
        batches=batches,
        rows=prefixes * copies,
        new_tokens=config.new_tokens,
        flops=writing + learning,
        learnt_flops=learning,
    )


def choose_rows(shape: ModelConfig, rows: int, length: int) -> int:
    """Return the microbatch that training would choose, from a model without any memory."""
    import torch

    from hanlin.models import Decoder
    from hanlin.training.step import choose_microbatch

    with torch.device("meta"):
        empty = Decoder(shape)
    return choose_microbatch(empty, rows, length)


def _tokens_of_prefix(config: LanguageConfig) -> tuple[int, int, int, int]:
    """Return a prefix's continuations, and tokens read forward, learnt from, and compared."""
    before, new = config.prefix_tokens, config.new_tokens
    judges = bool(config.sequence_unlikelihood or config.overuse)
    greedy = judges and config.decoding == "greedy"
    if config.policy and config.variant == "walk":
        read = before + new * (new + 3) // 2 + greedy * (before + new)
        copies, drawn, learnt = 1 + greedy, 1, 1 + greedy
    else:
        drawn = config.group if config.policy else int(judges and not greedy)
        copies = drawn + (greedy or (bool(config.policy) and config.variant == "self_critical"))
        learnt = drawn + greedy
        read = before + copies * new
        if config.policy and config.rewards.critic:
            read += (1 + copies) * (before + new)
    compared = drawn * (before + new) * config.needs_reference
    return copies, read, learnt * (before + new), compared
