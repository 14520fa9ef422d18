"""Best-of: several texts are drawn for each prompt, and the likeliest a token stays.

The mean of the log-probabilities is the model's own, before temperature and rules, so that a longer
text has no disadvantage; an empty text counts as impossible.

    python -m hanlin.generation.best
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from hanlin.config import SamplingConfig
from hanlin.generation.draft import Completion

__all__ = ["best_of", "mean_logprob"]

Prompt = str | Sequence[int]
Write = Callable[[Sequence[Prompt], SamplingConfig], list[Completion]]


def best_of(write: Write, prompts: Sequence[Prompt], sampling: SamplingConfig) -> list[Completion]:
    """Return the best of `sampling.best_of` continuations of each prompt."""
    count = sampling.best_of
    changes = {"best_of": 1, "logprobs": sampling.logprobs or 0}
    rows = [prompt for prompt in prompts for _ in range(count)]
    written = write(rows, sampling.model_copy(update=changes))
    groups = [written[start : start + count] for start in range(0, len(written), count)]
    best = [max(group, key=mean_logprob) for group in groups]
    return best if sampling.logprobs is not None else [replace(b, logprobs=[]) for b in best]


def mean_logprob(completion: Completion) -> float:
    """Return the mean log-probability of a text's tokens, which must have been noted."""
    scores = [note.logprob for note in completion.logprobs]
    return sum(scores) / len(scores) if scores else -math.inf


if __name__ == "__main__":
    print(mean_logprob(Completion("", [], "stop", 1)))
