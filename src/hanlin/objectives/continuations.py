"""Sampling inside training: the model continues prefixes out of the batch, all of them at once.

Each prefix is read once into a key-value cache; the cache is then copied for as many continuations
as are wanted, and each step feeds one token a row. Temperature is 1 and nothing is cut off, so that
what is drawn comes from the very distribution that the policy gradient changes. All chance comes
from the generator of the step. The model is in `eval` mode meanwhile, without dropout.

    python -m hanlin.objectives.continuations

B rows of the batch, T time, S prefixes, P tokens of a prefix, D continuations of each, N new
tokens, R = S x D rows that are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hanlin.config import SamplingConfig
from hanlin.generation.sampling import draw
from hanlin.models import Decoder

__all__ = ["Prefixes", "Written", "choose_prefixes", "continue_prefixes", "evaluating"]

_AS_IT_IS = SamplingConfig(temperature=1.0, top_p=1.0)


@dataclass(frozen=True, slots=True)
class Written:
    """Tokens after a prefix, written by the model or by people."""

    ids: Tensor
    """(R, N), the end token among them; whatever follows it fills the row up."""
    written: Tensor
    """Which of them count, (R, N) bool."""
    ended: Tensor
    """Whether a row came to its end token, (R,) bool."""


@dataclass(frozen=True, slots=True)
class Prefixes:
    """Stretches of the batch to be continued, and how people continued them."""

    ids: Tensor
    """(S, P)."""
    truth: Written
    """The (S, N) tokens that follow in the batch."""


def choose_prefixes(
    batch: Tensor, share: float, prefix: int, new: int, eot_id: int, generator: torch.Generator
) -> Prefixes | None:
    """Return stretches of `prefix` tokens out of a share of the rows (B, T + 1), at least one.

    Rows and places are drawn; None where no row has a token after that many.
    """
    ids = batch.long()
    lengths = (ids >= 0).long().cumprod(1).sum(1)  # (B,) tokens before the first gap
    places = torch.rand(2, len(ids), generator=generator, device=generator.device).to(ids.device)
    able = lengths > prefix
    rows = torch.where(able, places[0], 2.0).argsort()
    rows = rows[: min(max(1, round(share * len(ids))), int(able.sum()))]
    if not len(rows):
        return None
    room = (lengths[rows] - prefix - new).clamp_min(0) + 1
    starts = (places[1, rows] * room).long()
    columns = starts[:, None] + torch.arange(prefix + new, device=ids.device)
    there = columns < lengths[rows, None]
    taken = ids[rows[:, None], columns.clamp_max(ids.shape[1] - 1)].where(there, eot_id)
    return Prefixes(taken[:, :prefix], _until_end(taken[:, prefix:], there[:, prefix:], eot_id))


@torch.no_grad()
def continue_prefixes(
    model: Decoder,
    prefixes: Tensor,
    *,
    draws: int,
    greedy: bool,
    new_tokens: int,
    vocab_size: int,
    eot_id: int,
    generator: torch.Generator,
) -> Written:
    """Write `draws` sampled continuations of each prefix (S, P), and the greedy one after them."""
    copies = draws + greedy
    rows = len(prefixes) * copies
    is_greedy = (torch.arange(rows, device=prefixes.device) % copies) == draws
    chance = torch.rand(
        new_tokens, rows, generator=generator, device=generator.device, dtype=torch.float64
    ).to(prefixes.device)
    columns: list[Tensor] = []
    open_rows = torch.ones(rows, dtype=torch.bool, device=prefixes.device)
    with evaluating(model):
        cache = model.new_cache(len(prefixes), prefixes.shape[1] + new_tokens)
        hidden = model.hidden(prefixes, cache=cache)[:, -1]
        hidden = hidden.repeat_interleave(copies, 0)  # (R, C)
        origin = torch.arange(len(prefixes), device=prefixes.device)
        cache.keep_rows(origin.repeat_interleave(copies))
        for step in range(new_tokens):
            logits = model.head(hidden)[:, :vocab_size].float()
            ids = torch.where(is_greedy, logits.argmax(-1), draw(logits, _AS_IT_IS, chance[step]))
            columns.append(ids)
            open_rows = open_rows & (ids != eot_id)
            if step + 1 == new_tokens or not bool(open_rows.any()):
                break
            hidden = model.hidden(ids[:, None], cache=cache)[:, -1]
    filler = [torch.full_like(columns[0], eot_id)] * (new_tokens - len(columns))
    ids = torch.stack([*columns, *filler], 1)
    return _until_end(ids, torch.ones_like(ids, dtype=torch.bool), eot_id)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model in evaluation mode for a while."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def _until_end(ids: Tensor, there: Tensor, eot_id: int) -> Written:
    """Return what is written up to the first end token, with it, and up to the first gap."""
    ends = (ids == eot_id) & there
    earlier = ends.long().cumsum(1) - ends.long()
    written = there & (earlier == 0)
    return Written(ids, written, (ends & written).any(1))


if __name__ == "__main__":
    from hanlin.config import ModelConfig
    from hanlin.models import build_model

    shape = ModelConfig(vocab_size=64, hidden_size=32, num_heads=2, num_layers=1, context_length=24)
    seeds = torch.randint(1, 64, (2, 6), generator=torch.Generator().manual_seed(1))
    print(
        continue_prefixes(
            build_model(shape, seed=1),
            seeds,
            draws=2,
            greedy=True,
            new_tokens=8,
            vocab_size=64,
            eot_id=0,
            generator=torch.Generator().manual_seed(2),
        ).ids
    )
