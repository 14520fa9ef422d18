"""From measured speeds to the seconds of each phase of a run.

Each function walks through what `hanlin run` does, in its order, and multiplies amounts by speeds.
"""

from __future__ import annotations

from hanlin.config import Recipe
from hanlin.planning.preparation import Preparation
from hanlin.planning.probe import Speed
from hanlin.planning.sampled_text import SampledText
from hanlin.planning.sampling import CorpusEstimate
from hanlin.planning.workload import Workload

__all__ = [
    "GREEDY_TOKENS",
    "corpus_phases",
    "evaluation_phases",
    "training_phases",
    "writing_time",
]

GREEDY_TOKENS = 96
"""Tokens that a greedy continuation of test text has at most (`hanlin.runs.greedy`)."""
_START = 3.0  # importing, opening, hashing
_REPORT = 1.0
_DISK_BYTES_PER_SECOND = 250e6  # writing, flushing and hashing
_LEAST_SHARE = 0.005  # of a language that is measured
_ACCURACY_POSITIONS = 1000
_SPAN = 128
_NGRAM_NEXT_SECONDS = 0.0005
_TASK_BATCH = 32
_TASK_GROUPS = 2  # a task is measured in groups, by language as a rule
_ANSWER_SHARE = 0.25  # of a row that an answer has: what is asked fills the most of it


def corpus_phases(recipe: Recipe, corpus: CorpusEstimate, around: Preparation) -> dict[str, float]:
    """Return the time before the first stage."""
    text = min(corpus.kept_bytes, recipe.tokenizer.train_megabytes * 1e6)
    tokenizer = 0.0 if recipe.tokenizer.path else around.tokenizer_time(text)
    return {
        "corpus": _START + corpus.seconds,
        "tokenizer": tokenizer,
        "encoding": corpus.kept_bytes / around.encode_bytes_per_second,
    }


def training_phases(
    recipe: Recipe, work: Workload, corpus: CorpusEstimate, speed: Speed, tokens: float
) -> dict[str, float]:
    """Return the time of one stage's loop: steps, and what is done between them.

    The probe trains all weights on the stage's rows; what is frozen, or done besides, is priced by
    its operations at the speed that the probe reached, and what is written by that of decoding.
    """
    training = work.stage.learning
    steps = training.num_steps
    held_out = tokens * recipe.corpus.validation_share / max(1e-9, corpus.train_share)
    scored = _scored(corpus, held_out, training.eval_tokens)
    evaluations = _times(steps, training.eval_every)
    samplings = _times(steps, training.sample_every)
    checkpoints = _times(steps, training.checkpoint.every_steps)
    state = 3 * speed.weight_bytes  # weights and two moments
    return {
        "training": work.row_flops / speed.flops_per_second,
        "teachers": work.teaching_flops / speed.flops_per_second
        + work.cache_bytes / _DISK_BYTES_PER_SECOND,
        "own text": _sampling(work.sampled, speed) if work.sampled else 0.0,
        "validation": evaluations * scored / speed.score_tokens_per_second,
        "samples": samplings * _writing(recipe, len(recipe.prompts), speed),
        "checkpoints": checkpoints * (0.1 + state / _DISK_BYTES_PER_SECOND),
    }


def evaluation_phases(
    recipe: Recipe,
    work: Workload,
    corpus: CorpusEstimate,
    around: Preparation,
    speed: Speed,
    tokens: float,
) -> dict[str, float]:
    """Return the time of the measurements around a stage, and of the report."""
    config = recipe.evaluation
    held_out = tokens * recipe.corpus.test_share / max(1e-9, corpus.train_share)
    scored = _scored(corpus, held_out, config.test_tokens)
    positions = _ACCURACY_POSITIONS * max(1, len(corpus.shares))
    windows = positions / _SPAN * 2 * speed.context_length
    seconds = scored / speed.score_tokens_per_second + windows / speed.score_tokens_per_second
    seconds += _writing(recipe, config.samples, speed)
    greedy = config.greedy * _languages(corpus)
    seconds += writing_time(min(GREEDY_TOKENS, speed.context_length // 2), greedy, speed)
    seconds += corpus.train_bytes / around.novelty_bytes_per_second
    phases = {"test": seconds, "tasks": _task_tests(work, speed), "report": _REPORT}
    if config.ngram_order:
        counted = min(tokens, config.ngram_tokens)
        fitting = counted / around.ngram_tokens_per_second
        scoring = scored / around.ngram_scored_per_second
        phases["n-gram"] = fitting + scoring + positions * _NGRAM_NEXT_SECONDS
    return phases


def writing_time(tokens: int, texts: int, speed: Speed) -> float:
    """Return the time to write so many tokens of each of some texts, side by side."""
    if not texts:
        return 0.0
    return tokens * (speed.decode_seconds + (texts - 1) * speed.decode_row_seconds)


def _scored(corpus: CorpusEstimate, held_out: float, limit: int) -> float:
    """Return how many held-out tokens are scored, where each language has a limit."""
    parts = [part for part in corpus.shares.values() if part > _LEAST_SHARE]
    return sum(min(limit, held_out * part) for part in parts)


def _languages(corpus: CorpusEstimate) -> int:
    return sum(part > _LEAST_SHARE for part in corpus.shares.values())


def _writing(recipe: Recipe, texts: int, speed: Speed) -> float:
    """Return the time to write samples side by side."""
    return writing_time(min(recipe.sampling.max_tokens, speed.context_length), texts, speed)


def _sampling(sampled: SampledText, speed: Speed) -> float:
    """Return the time to write and to learn from text in the midst of training."""
    column = speed.decode_seconds + (sampled.rows - 1) * speed.decode_row_seconds
    writing = sampled.batches * sampled.new_tokens * column
    return writing + sampled.learnt_flops / speed.flops_per_second


def _task_tests(work: Workload, speed: Speed) -> float:
    """Return the time to answer the examples that were kept apart, before and after the stage."""
    task = work.stage.task
    if task is None:
        return 0.0
    batches, left = divmod(task.held_out, _TASK_BATCH)
    length = work.row_tokens * _ANSWER_SHARE
    column = batches + bool(left)
    answering = length * (
        column * speed.decode_seconds + (task.held_out - column) * speed.decode_row_seconds
    )
    return 2 * len(task.tasks) * _TASK_GROUPS * answering


def _times(steps: int, every: int) -> int:
    return -(-steps // every) if every else 0
