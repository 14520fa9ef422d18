"""The replacement walk: a target sequence is made likelier token by token, and that is reinforced.

From left to right through a stretch of the batch: at each place the model, given all before it,
proposes a token. The proposal takes the true token's place where the whole sequence becomes more
probable by it; later places are then conditioned on what was kept. What was kept is reinforced.

The part before a place never changes again, so it is in the cache already: each place reads the
proposal with the rest of the sequence after it, and then the one token that was kept.
`walk_reference` scores whole sequences anew in place of that.

Note what this rewards: the model's own probability. It sharpens the model, as its entropy shows.

    python -m hanlin.objectives.replacement_walk

S sequences, P tokens of a prefix, N of the target, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hanlin.models import Decoder, KVCache
from hanlin.objectives.continuations import evaluating

__all__ = ["Walk", "walk", "walk_reference"]


@dataclass(frozen=True, slots=True)
class Walk:
    """Where the walk came out."""

    ids: Tensor
    """The sequences after the prefix, (S, N)."""
    kept: Tensor
    """Where a proposal was kept, (S, N) bool."""
    gain: Tensor
    """By how much each sequence became more probable, in nats, (S,)."""


@torch.no_grad()
def walk(
    model: Decoder, prefixes: Tensor, targets: Tensor, written: Tensor, chance: Tensor
) -> Walk:
    """Walk through targets (S, N) after prefixes (S, P).

    Args:
        model: what proposes and scores.
        prefixes: token ids (S, P).
        targets: token ids (S, N).
        written: which of them count, (S, N): places that do not are left alone.
        chance: a uniform number for each proposal, (S, N) fp64.
    """
    ids, kept = targets.clone(), torch.zeros_like(written)
    length = prefixes.shape[1]
    with evaluating(model):
        cache = model.new_cache(len(prefixes), length + ids.shape[1])
        state = model.hidden(prefixes, cache=cache)[:, -1:]  # (S, 1, C)
        scores = _score_rest(model, cache, state, ids)  # (S, N)
        before = (scores * written).sum(1)
        for place in range(ids.shape[1]):
            rest = ids[:, place:].clone()
            rest[:, 0] = _propose(model, state[:, 0], chance[:, place])
            proposed = _score_rest(model, cache, state, rest)
            counted = written[:, place:]
            better = ((proposed - scores[:, place:]) * counted).sum(1) > 0
            better &= written[:, place] & (rest[:, 0] != ids[:, place])
            kept[:, place] = better
            ids[:, place:] = torch.where(better[:, None], rest, ids[:, place:])
            scores[:, place:] = torch.where(better[:, None], proposed, scores[:, place:])
            state = model.hidden(ids[:, place : place + 1], cache=cache)
    return Walk(ids, kept, (scores * written).sum(1) - before)


@torch.no_grad()
def walk_reference(
    model: Decoder, prefixes: Tensor, targets: Tensor, written: Tensor, chance: Tensor
) -> Walk:
    """Return the same walk, with every sequence scored whole and no cache."""
    ids, kept = targets.clone(), torch.zeros_like(written)
    width = prefixes.shape[1]
    with evaluating(model):
        first = current = _score_whole(model, prefixes, ids, written)
        for place in range(ids.shape[1]):
            before = torch.cat((prefixes, ids[:, :place]), 1)
            proposal = ids.clone()
            state = model.hidden(before)[:, width + place - 1]
            proposal[:, place] = _propose(model, state, chance[:, place])
            proposed = _score_whole(model, prefixes, proposal, written)
            better = (proposed > current) & written[:, place]
            better &= proposal[:, place] != ids[:, place]
            kept[:, place] = better
            ids = torch.where(better[:, None], proposal, ids)
            current = torch.where(better, proposed, current)
    return Walk(ids, kept, current - first)


def _propose(model: Decoder, state: Tensor, uniform: Tensor) -> Tensor:
    """Return tokens (S,) drawn from the distributions after states (S, C)."""
    heights = model.head(state).double().softmax(-1).cumsum(-1)
    places = (heights <= uniform[:, None] * heights[:, -1:]).sum(-1)
    return places.clamp_max(heights.shape[1] - 1)


def _score_rest(model: Decoder, cache: KVCache, state: Tensor, ids: Tensor) -> Tensor:
    """Return log p of ids (S, M) that follow the cache, whose last state is (S, 1, C).

    The cache is as long afterwards as before.
    """
    states = [state]
    if ids.shape[1] > 1:
        length = cache.length
        states.append(model.hidden(ids[:, :-1], cache=cache))
        cache.length = length
    logprobs = model.head(torch.cat(states, 1)).float().log_softmax(-1)
    return logprobs.gather(-1, ids[:, :, None])[:, :, 0]


def _score_whole(model: Decoder, prefixes: Tensor, ids: Tensor, written: Tensor) -> Tensor:
    states = model.hidden(torch.cat((prefixes, ids[:, :-1]), 1))[:, prefixes.shape[1] - 1 :]
    logprobs = model.head(states).float().log_softmax(-1)
    return (logprobs.gather(-1, ids[:, :, None])[:, :, 0] * written).sum(1)


if __name__ == "__main__":
    from hanlin.config import ModelConfig
    from hanlin.models import build_model

    shape = ModelConfig(vocab_size=64, hidden_size=32, num_heads=2, num_layers=1, context_length=24)
    given = torch.randint(1, 64, (2, 16), generator=torch.Generator().manual_seed(1))
    numbers = torch.rand(2, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    everywhere = torch.ones(2, 12, dtype=torch.bool)
    print(walk(build_model(shape, seed=1), given[:, :4], given[:, 4:], everywhere, numbers))
