"""The log-probabilities of written tokens, as the model gave them before any rule or temperature.

python -m hanlin.generation.logprobs
"""

from __future__ import annotations

import torch
from torch import Tensor

from hanlin.generation.draft import TokenLogprob
from hanlin.generation.vocabulary import Vocabulary

__all__ = ["note_logprobs"]


def note_logprobs(
    logits: Tensor, ids: Tensor, count: int, vocabulary: Vocabulary
) -> list[TokenLogprob]:
    """Return for each row of logits (B, V) the token of `ids` (B,), with `count` others."""
    scores = logits.float().log_softmax(-1)
    values, tokens = scores.topk(min(count, scores.shape[-1]), dim=-1)
    chosen = scores.gather(-1, ids[:, None])[:, 0]
    rows = zip(ids.tolist(), chosen.tolist(), tokens.tolist(), values.tolist(), strict=True)
    return [
        _noted(
            token,
            score,
            vocabulary,
            [_noted(t, v, vocabulary, []) for t, v in zip(others, other_scores, strict=True)],
        )
        for token, score, others, other_scores in rows
    ]


def _noted(
    token: int, score: float, vocabulary: Vocabulary, top: list[TokenLogprob]
) -> TokenLogprob:
    data = vocabulary.piece(token)
    return TokenLogprob(token, data.decode("utf-8", "replace"), list(data), score, top)


if __name__ == "__main__":
    from hanlin.tokenizers import train_tokenizer

    letters = Vocabulary(train_tokenizer("char", ["从前有一只小猫。"], 350))
    print(note_logprobs(torch.zeros(1, 350), torch.tensor([letters.token("猫")]), 1, letters))
