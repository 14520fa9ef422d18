"""How much is measured while a fitted recipe trains and after it: what its time has room for.

    6 %   of the training time for evaluations on validation text, ten where each can be worth it
    4 %   for sample texts, at least once, at the end
    15 %  for the test: half of it to score, a quarter each to draw texts and to write greedily

A budget is divided by the speeds that were measured on this machine; a long run comes to the sizes
beyond which more text makes no figure better.

    python -m hanlin.planning.measures
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hanlin.config import EvaluationConfig, SamplingConfig
from hanlin.planning.choosing import round_down
from hanlin.planning.phases import GREEDY_TOKENS, writing_time
from hanlin.planning.probe import Speed

__all__ = ["Measures", "plan_measures"]

_VALIDATION, _SAMPLES, _TEST = 0.06, 0.04, 0.15
_EVALUATIONS = (10, 5, 2, 1)
_SAMPLINGS = 5
_WORTH_IT = 4096
"""Tokens a language that an evaluation should score before there are more evaluations."""
_LEAST_SCORED, _MOST_SCORED = 512, 65_536
_LEAST_TEST, _MOST_TEST = 2_000, 500_000
_LEAST_TEXTS = 8
_LEAST_ROW_SECONDS = 1e-6  # what is below it could not be told from nothing


@dataclass(frozen=True, slots=True)
class Measures:
    """What is measured, in the words of a recipe."""

    eval_every: int
    eval_tokens: int
    sample_every: int
    test_tokens: int
    samples: int
    greedy: int


def plan_measures(
    steps: int, batch_tokens: int, speed: Speed, *, languages: int, prompts: int
) -> Measures:
    """Return what a training of `steps` has time to measure of its `languages`."""
    seconds, tokens = steps * speed.step_seconds, steps * batch_tokens
    scored_a_second = speed.score_tokens_per_second / languages
    evaluations, room = _evaluations(_VALIDATION * seconds * scored_a_second)
    wanted = min(max(_WORTH_IT, round_down(tokens / 200)), _MOST_SCORED)
    one = writing_time(_sample_tokens(speed), prompts, speed)
    samplings = max(1, min(_SAMPLINGS, int(_SAMPLES * seconds / one)))
    drawn = _texts(_TEST / 4 * seconds, _sample_tokens(speed), speed)
    greedy = _texts(_TEST / 4 * seconds, GREEDY_TOKENS, speed) // languages
    test = round_down(min(tokens / 20, _TEST / 2 * seconds * scored_a_second))
    defaults = EvaluationConfig()
    return Measures(
        eval_every=_interval(steps, evaluations),
        eval_tokens=max(_LEAST_SCORED, round_down(min(wanted, room))),
        sample_every=_interval(steps, samplings),
        test_tokens=max(_LEAST_TEST, min(test, _MOST_TEST)),
        samples=max(_LEAST_TEXTS, min(drawn, defaults.samples)),
        greedy=max(_LEAST_TEXTS, min(greedy, defaults.greedy)),
    )


def _evaluations(tokens: float) -> tuple[int, float]:
    """Return how many evaluations share tokens to be scored, and how many each of them has."""
    worth = (count for count in _EVALUATIONS if tokens / count >= _WORTH_IT)
    count = next(worth, 1)
    return count, tokens / count


def _interval(steps: int, times: int) -> int:
    """Return the smallest of 1, 2, 5, 10, 20, 50 ... of which steps hold at most so many.

    >>> [_interval(steps, 10) for steps in (3, 84, 700, 1200)], _interval(84, 1)
    ([1, 10, 100, 200], 84)
    """
    if times == 1:
        return max(1, steps)
    least = max(1.0, steps / times)
    unit = 10 ** math.floor(math.log10(least))
    return int(next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= least))


def _texts(seconds: float, tokens: int, speed: Speed) -> int:
    """Return how many texts are written side by side in a time."""
    spare = max(0.0, seconds / tokens - speed.decode_seconds)
    return 1 + int(spare / max(speed.decode_row_seconds, _LEAST_ROW_SECONDS))


def _sample_tokens(speed: Speed) -> int:
    return min(SamplingConfig().max_tokens, speed.context_length)


if __name__ == "__main__":
    from hanlin.config import ModelConfig, TrainingConfig
    from hanlin.planning.probe import probe_training

    shape = ModelConfig(preset="1m", vocab_size=2048, context_length=256)
    measured = probe_training(shape, TrainingConfig(steps=1, batch_tokens=1024), seconds=1.0)
    for count in (50, 500, 5000):
        print(count, plan_measures(count, 1024, measured, languages=2, prompts=3))
