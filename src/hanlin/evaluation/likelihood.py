"""How likely a model finds a continuation of a context, and whether it would write it itself.

    ln p(continuation | context) = sum of ln p(token | all before it) over the continuation's tokens

Context and continuation are encoded together, as a text is. Its tokens are those from the first on
that differs from the tokens of the context alone: where a token reaches across the border (a space
that belongs to the next word), it counts as the continuation's. `<|endoftext|>` stands before the
context, as before every document; an empty context leaves it alone there.

    python -m hanlin.evaluation.likelihood
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hanlin.evaluation.decoder_scorer import DecoderScorer
from hanlin.evaluation.scorers import Scorer, Tail, UniformScorer

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer

__all__ = ["Likelihood", "Request", "plain_tails", "score_continuations"]

Request = tuple[str, str]
"""A context and a continuation."""

_GROUP = 8192  # requests whose tokens are held at once


@dataclass(frozen=True, slots=True)
class Likelihood:
    """What a model makes of one continuation."""

    logprob: float
    """ln p of the whole continuation."""
    num_tokens: int
    greedy: bool
    """Whether each of its tokens is the likeliest one; False where this was not asked for."""


def score_continuations(
    scorer: Scorer, tokenizer: Tokenizer, requests: Sequence[Request], *, greedy: bool = False
) -> list[Likelihood]:
    """Return the likelihood of each (context, continuation); each differing one is scored once.

    `greedy` asks as well whether the continuation is what the model would write, which costs an
    n-gram model a distribution a token.
    """
    unique = sorted(set(requests), key=lambda request: (len("".join(request)), request))
    found: dict[Request, Likelihood] = {}
    for start in range(0, len(unique), _GROUP):
        group = unique[start : start + _GROUP]
        scored = _score_group(scorer, tokenizer, group, greedy=greedy)
        found.update(zip(group, scored, strict=True))
    return [found[request] for request in requests]


def _score_group(
    scorer: Scorer, tokenizer: Tokenizer, requests: Sequence[Request], *, greedy: bool
) -> list[Likelihood]:
    contexts = sorted({context for context, _ in requests})
    encoded = dict(zip(contexts, tokenizer.encode_batch(contexts), strict=True))
    wholes = tokenizer.encode_batch([context + rest for context, rest in requests])
    starts = [
        _border(encoded[context], whole)
        for (context, _), whole in zip(requests, wholes, strict=True)
    ]
    if isinstance(scorer, DecoderScorer):
        tails = scorer.tails(wholes, starts)
    else:
        tails = plain_tails(scorer, wholes, starts, greedy=greedy)
    return [
        Likelihood(
            float(tail.logprobs.sum()), len(tail.logprobs), greedy and bool(tail.likeliest.all())
        )
        for tail in tails
    ]


def _border(context: NDArray[np.integer], whole: NDArray[np.integer]) -> int:
    """Return where the continuation's tokens begin."""
    shared = min(len(context), len(whole))
    different = np.flatnonzero(context[:shared] != whole[:shared])
    return int(different[0]) if different.size else shared


def plain_tails(
    scorer: Scorer,
    documents: Sequence[NDArray[np.integer]],
    starts: Sequence[int],
    *,
    greedy: bool,
) -> list[Tail]:
    """Return what `DecoderScorer.tails` does, by any scorer: all is scored, the rest cut off."""
    tails = []
    for document, scores, start in zip(documents, scorer.score(documents), starts, strict=True):
        likeliest = np.zeros(len(document) - start, dtype=bool)
        if greedy:
            rows = scorer.distributions(document, range(start, len(document)))
            likeliest = rows.argmax(-1) == document[start:]
        tails.append(Tail(scores[start:], likeliest))
    return tails


if __name__ == "__main__":
    document = np.array([3, 1, 4, 1, 5])
    print(plain_tails(UniformScorer(10), [document], [3], greedy=True))
