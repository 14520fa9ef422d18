"""Claims about a language stage with a table: it repeats itself less, and costs hardly any bits.

    cross-entropy alone   from the same start, on as many operations as the stage spent on sampling
    unlikelihood alone    the stage without its policy gradient, on as many operations
    random reward         the stage, where chance decides what is reinforced
    constant reward       the stage, where nothing is told apart

Reinforcing a model's own text sharpens it whatever the reward (Choshen et al. 2019, arXiv
1907.01752), so the policy gradient has to be better than unlikelihood alone by a measure that is
none of its rewards, the distance of distinct-n to human text, and the two controls must not be.
The control's learning rate is chosen among three; the recipe's is taken as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hanlin.config import LanguageConfig, RewardsConfig, StageConfig
from hanlin.evaluation import (
    Comparison,
    at_most,
    better_than_spread,
    no_better_than_spread,
)
from hanlin.models import flops_per_token, forward_flops_per_token
from hanlin.runs.proofs.base import Arm, Claim, Proof
from hanlin.runs.proofs.subject import Subject, with_steps

__all__ = ["prove_language"]

_RATES = (0.3, 1.0, 3.0)
_PLAIN, _UNLIKELY = "cross-entropy alone", "unlikelihood alone"
_DISTINCT = "evaluation.greedy.*.gap.distinct"


def prove_language(subject: Subject) -> Proof:
    """Return the arms and claims of a language stage with a table."""
    config = subject.stage.language
    assert config is not None, "only a stage with a table is asked"
    return Proof(arms=tuple(_arms(subject, config)), claims=tuple(_claims(config)))


def _arms(subject: Subject, config: LanguageConfig) -> Iterator[Arm]:
    stage, flops = subject.stage, subject.flops
    yield Arm(name="recipe", stages=(stage,), expected=flops)
    plain = with_steps(stage, flops / subject.step_flops, language=None)
    yield Arm(name=_PLAIN, stages=(plain,), rates=_RATES, expected=flops)
    if not config.policy:
        return
    if _punishes(config):
        steps = flops / (subject.step_flops + _unlikelihood_flops(subject, config))
        without = with_steps(stage, steps, language=config.model_copy(update={"policy": 0.0}))
        yield Arm(name=_UNLIKELY, stages=(without,), expected=flops)
    for reward in ("random", "constant"):
        yield Arm(name=f"{reward} reward", stages=(_rewarded(stage, reward),), expected=flops)


def _claims(config: LanguageConfig) -> Iterator[Claim]:
    yield _claim(
        "After greedy decoding, {language} text repeats at most half as many 4-grams",
        figure="evaluation.greedy.*.seq_rep_4",
        rule=at_most(0.5),
    )
    yield _claim(
        "Held-out {language} text costs at most 1 % more bits than under cross-entropy alone",
        figure="evaluation.test.*.bits_per_byte",
        rule=at_most(1.01),
    )
    nearer = "of greedy {language} text lies nearer to human text than under cross-entropy alone"
    yield _claim(f"The share of distinct n-grams {nearer}", figure=_DISTINCT)
    yield _claim(f"The Zipf slope {nearer}", figure="evaluation.greedy.*.gap.zipf_slope")
    if not config.policy:
        return
    control = _UNLIKELY if _punishes(config) else _PLAIN
    sentence = "in distinct n-grams, a measure that is no reward, than greedy {language} text of"
    yield _claim(
        f"The policy gradient comes nearer to human text {sentence} {control}",
        control=control,
        figure=_DISTINCT,
    )
    for reward in ("random", "constant"):
        yield _claim(
            f"With a {reward} reward it comes no nearer {sentence} {control}",
            arm=f"{reward} reward",
            control=control,
            figure=_DISTINCT,
            rule=no_better_than_spread(),
        )


def _claim(
    sentence: str,
    *,
    figure: str,
    arm: str = "recipe",
    control: str = _PLAIN,
    rule: Comparison | None = None,
) -> Claim:
    return Claim(
        sentence=sentence,
        arm=arm,
        control=control,
        figure=figure,
        rule=rule or better_than_spread(),
    )


def _punishes(config: LanguageConfig) -> bool:
    """Whether anything is left when the policy gradient is taken out."""
    return bool(
        config.token_unlikelihood
        or config.confidence
        or config.sequence_unlikelihood
        or config.overuse
    )


def _rewarded(stage: StageConfig, reward: str) -> StageConfig:
    nothing: dict[str, Any] = dict.fromkeys(RewardsConfig.model_fields, 0.0)
    rewards = RewardsConfig(**{**nothing, reward: 1.0})
    assert stage.language is not None
    table = stage.language.model_copy(update={"rewards": rewards})
    return stage.model_copy(update={"language": table})


def _unlikelihood_flops(subject: Subject, config: LanguageConfig) -> float:
    """Return the operations a step that one continuation of each prefix takes, as the run wrote.

    The stage learnt from P + N tokens a continuation, so that its tokens say how many prefixes
    there were; how long a continuation is on average follows from those that it read.
    """
    if not (config.sequence_unlikelihood or config.overuse):
        return 0.0
    result, shape = subject.result, subject.shape()
    length = config.prefix_tokens + config.new_tokens
    greedy = config.decoding == "greedy"
    walks = config.variant == "walk"
    learnt = (1 if walks else config.group) + greedy
    prefixes = result["learnt_own_tokens"] / (length * learnt)
    written = config.new_tokens
    if prefixes and not walks:
        copies = config.group + (greedy or config.variant == "self_critical")
        written = (result["sampled_tokens"] / prefixes - config.prefix_tokens) / copies
    read = (config.prefix_tokens + written) * forward_flops_per_token(shape, length)
    flops = prefixes * (read + length * flops_per_token(shape, length))
    return float(flops / result["steps"])
