"""Contrastive search: likely tokens whose hidden state is unlike what was said already.

    x = argmax over the k likeliest of (1 - alpha) p(x) - alpha max_j cos(h_x, h_j)

Su et al. 2022 (arXiv 2202.06417). It is free of chance, and works where hidden states of different
tokens point in different ways. Each step reads all candidates at once, as rows of one batch that
share the text so far; the chosen row stays.

k candidates, T tokens so far, C channels.

    python -m hanlin.generation.contrastive
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from hanlin.config import SearchConfig
from hanlin.generation.beam import Found
from hanlin.generation.repeats import NoRepeatedNgram
from hanlin.generation.vocabulary import Vocabulary
from hanlin.models import Decoder

__all__ = ["choose_contrastively", "search_contrastively"]


@torch.inference_mode()
def search_contrastively(
    model: Decoder,
    vocabulary: Vocabulary,
    prompt: list[int],
    config: SearchConfig,
    limit: int,
    is_over: Callable[[list[int]], bool],
) -> Found:
    """Return the one continuation of at most `limit` tokens."""
    cache = model.new_cache(1, len(prompt) + limit)
    ids = torch.tensor([prompt], device=cache.keys.device)
    said = model.hidden(ids, cache=cache)[0]  # (T, C)
    text: list[int] = []
    total, ended = 0.0, False
    repeats = NoRepeatedNgram(config.no_repeat_ngram, vocabulary, prompt)
    while len(text) < limit and not ended:
        scores = model.head(said[-1])[: vocabulary.size].float().log_softmax(-1)
        shares = scores.exp()
        if config.no_repeat_ngram:
            repeats.steer(shares)
        values, tokens = shares.topk(min(config.candidates, vocabulary.size))
        tokens, values = tokens[values > -torch.inf], values[values > -torch.inf]
        kept = cache.length
        cache.keep_rows(torch.zeros(len(tokens), dtype=torch.long, device=ids.device))
        states = model.hidden(tokens[:, None], cache=cache)[:, 0]  # (k, C)
        row = choose_contrastively(values, states, said, config.alpha)
        token = int(tokens[row])
        total += float(scores[token])
        if token in vocabulary.ends:
            ended = True
            break
        cache.keep_rows(torch.tensor([row], device=ids.device))
        cache.length = kept + 1
        said = torch.cat([said, states[row : row + 1]])
        text.append(token)
        repeats.take(token)
        ended = is_over(text)
    return Found(text, total, total / max(len(text), 1), ended)


def choose_contrastively(values: Tensor, states: Tensor, said: Tensor, alpha: float) -> int:
    """Return the best of candidates with likelihoods (k,) and states (k, C) after said (T, C)."""
    likeness = F.cosine_similarity(states[:, None], said[None], dim=-1).max(-1).values  # (k,)
    return int(((1 - alpha) * values - alpha * likeness).argmax())


if __name__ == "__main__":
    axes = torch.eye(3)
    print(choose_contrastively(torch.tensor([0.6, 0.4]), axes[:2], axes[:1], alpha=0.6))
