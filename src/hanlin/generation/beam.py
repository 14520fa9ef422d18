"""Beam search: the likeliest whole texts, as far as so many open ones at once can tell.

    score(y) = sum of log p(y_t) / length(y) ** penalty

with the end token counted in both. Each step extends all open texts by all tokens and keeps the
`beams` likeliest. A text that ended is kept apart; the search is over when no open one can still
beat the worst of the `beams` that ended. With groups (diverse beam search, Vijayakumar et al. 2016,
arXiv 1610.02424) a later group's tokens lose `diversity` for each time that an earlier group chose
them in the same step; scores are not touched by that.

`hanlin.generation.exhaustive` tries every text, which a wide enough beam must equal.

K open texts of a group, V vocab.

    python -m hanlin.generation.beam
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from hanlin.config import SearchConfig
from hanlin.generation.repeats import NoRepeatedNgram
from hanlin.generation.vocabulary import Vocabulary
from hanlin.models import Decoder, KVCache

__all__ = ["Found", "search_beams"]


@dataclass(frozen=True, slots=True)
class Found:
    """A text that a search came to."""

    ids: list[int]
    """Its tokens; an end token is not among them."""
    total: float
    """The sum of their log-probabilities, the end token's included."""
    score: float
    """What it was judged by."""
    ended: bool
    """Whether it ended by itself."""


@dataclass
class _Group:
    """Beams that are compared with each other."""

    open: list[tuple[list[int], float, int]] = field(default_factory=list)
    """Tokens, sum, and the row of the cache, the likeliest first."""
    done: list[Found] = field(default_factory=list)


@torch.inference_mode()
def search_beams(
    model: Decoder,
    vocabulary: Vocabulary,
    prompt: list[int],
    config: SearchConfig,
    limit: int,
    is_over: Callable[[list[int]], bool],
) -> list[Found]:
    """Return the `beams` best continuations of at most `limit` tokens, the best first.

    `is_over` tells of a text whether it has come to a stop string.
    """
    width = config.beams // config.groups
    groups = [_Group([([], 0.0, 0)]) for _ in range(config.groups)]
    cache = model.new_cache(1, len(prompt) + limit)
    ids = torch.tensor([prompt], device=cache.keys.device)
    for step in range(limit):
        scores = _scores(model, cache, ids, vocabulary.size)
        chosen = torch.zeros(vocabulary.size, device=scores.device)
        for group in groups:
            _extend(group, scores, chosen, vocabulary, prompt, config, width)
            _close(group, config, width, is_over, is_last=step + 1 == limit, limit=limit)
        rows = [beam for group in groups for beam in group.open]
        if not rows:
            break
        cache.keep_rows(torch.tensor([row for _, _, row in rows], device=ids.device))
        ids = torch.tensor([[text[-1]] for text, _, _ in rows], device=ids.device)
        _renumber(groups)
    found = [text for group in groups for text in _best(group.done, width)]
    return sorted(found, key=lambda text: -text.score)


def _scores(model: Decoder, cache: KVCache, ids: Tensor, size: int) -> Tensor:
    """Return the log-probabilities (rows, V) of the next token."""
    hidden = model.hidden(ids, cache=cache)[:, -1]
    return model.head(hidden)[:, :size].float().log_softmax(-1)


def _extend(
    group: _Group,
    scores: Tensor,
    chosen: Tensor,
    vocabulary: Vocabulary,
    prompt: list[int],
    config: SearchConfig,
    width: int,
) -> None:
    """Put the likeliest extensions in the place of a group's open texts; ends are set apart."""
    if not group.open:
        return
    sums = torch.tensor([total for _, total, _ in group.open], device=scores.device)
    rows = scores[[row for _, _, row in group.open]]  # (K, V)
    totals = rows + sums[:, None]
    if config.no_repeat_ngram:
        _forbid(totals, [[*prompt, *text] for text, _, _ in group.open], config, vocabulary)
    ranked = totals - config.diversity * chosen if config.groups > 1 else totals
    # Twice as many, and one for each end token, leave enough that go on.
    count = min(width * (len(vocabulary.ends) + 1), ranked.numel())
    places = ranked.flatten().topk(count).indices.tolist()
    size, old = scores.shape[1], group.open
    new: list[tuple[list[int], float, int]] = []
    for rank, place in enumerate(places):
        text, _, row = old[place // size]
        token, total = place % size, float(totals[place // size, place % size])
        if total == -torch.inf:
            break
        if token in vocabulary.ends:
            if rank < width:
                score = total / (len(text) + 1) ** config.length_penalty
                group.done.append(Found(text, total, score, ended=True))
        elif len(new) < width:
            new.append(([*text, token], total, row))
            chosen[token] += 1
    group.open = new


def _close(
    group: _Group,
    config: SearchConfig,
    width: int,
    is_over: Callable[[list[int]], bool],
    *,
    is_last: bool,
    limit: int,
) -> None:
    """Set texts apart that are at a stop string or at the limit, and drop hopeless ones."""
    stays = []
    for text, total, row in group.open:
        over = is_over(text)
        if over or is_last:
            score = total / len(text) ** config.length_penalty
            group.done.append(Found(text, total, score, ended=over))
        else:
            stays.append((text, total, row))
    group.open = stays
    best = _best(group.done, width)
    if len(best) == width and stays:
        # A sum can only sink; at best it stays, over the length that divides it most kindly.
        longest = limit if config.length_penalty > 0 else len(stays[0][0]) + 1
        bound = max(total for _, total, _ in stays) / longest**config.length_penalty
        if bound <= best[-1].score:
            group.open = []


def _forbid(
    totals: Tensor, texts: list[list[int]], config: SearchConfig, vocabulary: Vocabulary
) -> None:
    for row, text in enumerate(texts):
        rule = NoRepeatedNgram(config.no_repeat_ngram, vocabulary, text)
        rule.steer(totals[row])


def _best(found: list[Found], count: int) -> list[Found]:
    return sorted(found, key=lambda text: -text.score)[:count]


def _renumber(groups: list[_Group]) -> None:
    """Number the rows of all open texts anew, in their order in the cache."""
    row = 0
    for group in groups:
        group.open = [
            (text, total, row + place) for place, (text, total, _) in enumerate(group.open)
        ]
        row += len(group.open)


if __name__ == "__main__":
    from hanlin.config import ModelConfig
    from hanlin.models import build_model
    from hanlin.tokenizers import train_tokenizer

    letters = train_tokenizer("char", ["从前有一只小猫。"], 350)
    shape = ModelConfig(vocab_size=350, hidden_size=32, num_heads=2, num_layers=1)
    given = (Vocabulary(letters), letters.encode("小"), SearchConfig(), 4, lambda text: False)
    for found_text in search_beams(build_model(shape, seed=1).eval(), *given):
        print(found_text)
