"""Who proposes the next tokens in speculative decoding: a smaller model, or the text itself.

A proposer sees all tokens so far and names a few that may follow. A model also tells with what
probabilities it drew them; what is looked up in the text is proposed for certain.

N proposals, V vocab.

    python -m hanlin.generation.proposers
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from hanlin.config import SamplingConfig
from hanlin.errors import TokenizerError
from hanlin.generation.repeats import match_places
from hanlin.generation.sampling import distribution

if TYPE_CHECKING:
    from hanlin.generation.engine import Engine
    from hanlin.models import KVCache

__all__ = ["LookupProposer", "ModelProposer", "Proposal", "Proposer"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """Tokens that may follow."""

    ids: list[int]
    probabilities: Tensor | None = None
    """What each was drawn from, (N, V); None where they are proposed for certain."""


class Proposer(ABC):
    """Names tokens that may follow a text."""

    @abstractmethod
    def propose(
        self, ids: Sequence[int], count: int, sampling: SamplingConfig, generator: torch.Generator
    ) -> Proposal:
        """Return at most `count` tokens after `ids`; all chance comes from the generator."""


class LookupProposer(Proposer):
    """Proposes what followed the last time that the text ended as it does now.

    The longest match counts, and of several the latest (prompt look-up; the n-gram case of Yang
    et al. 2023, arXiv 2304.04487).
    """

    def __init__(self, longest: int = 8, shortest: int = 2) -> None:
        """Look for ends of at most and at least so many tokens."""
        self._longest = longest
        self._shortest = shortest

    def propose(
        self, ids: Sequence[int], count: int, sampling: SamplingConfig, generator: torch.Generator
    ) -> Proposal:
        """Return what followed, none where there is no match."""
        found = match_places(np.asarray(ids, dtype=np.int64), self._longest)
        if count < 1 or len(found) < self._shortest:
            return Proposal([])
        place = int(found[-1][-1])
        return Proposal(list(ids[place : place + count]))


class ModelProposer(Proposer):
    """A smaller model over the same tokens, such as the one that was distilled from the larger."""

    def __init__(self, draft: Engine, target: Engine, *, sureness: float = 0.25) -> None:
        """Join the smaller model to the one that it proposes to.

        It stops proposing where its likeliest token has less than `sureness`: what comes after a
        token that is hardly ever kept is work for nothing.

        Raises:
            TokenizerError: they do not have the same tokenizer.
        """
        if draft.tokenizer.fingerprint != target.tokenizer.fingerprint:
            raise TokenizerError(
                "The draft model has another tokenizer "
                f"({draft.tokenizer.kind}, {draft.tokenizer.vocab_size:,} entries) than the model "
                f"({target.tokenizer.kind}, {target.tokenizer.vocab_size:,} entries), so that its "
                "tokens mean something else. Take a draft model of the same run."
            )
        self._model = draft.model
        self._size = draft.tokenizer.vocab_size
        self._sureness = sureness
        self._cache: KVCache | None = None
        self._read: list[int] = []

    @torch.inference_mode()
    def propose(
        self, ids: Sequence[int], count: int, sampling: SamplingConfig, generator: torch.Generator
    ) -> Proposal:
        """Return tokens that the smaller model drew, with what they were drawn from.

        None where its context is full.
        """
        context = self._model.config.context_length
        count = min(count, context - len(ids))
        if count < 1:
            return Proposal([])
        cache, text = self._rewound(ids), list(ids)
        shares: list[Tensor] = []
        for _ in range(count):
            fresh = torch.tensor([text[cache.length :]], device=cache.keys.device)
            hidden = self._model.hidden(fresh, cache=cache)[:, -1]
            logits = self._model.head(hidden)[:, : self._size].float()
            if float(logits.softmax(-1).max()) < self._sureness:
                break
            shares.append(distribution(logits, sampling)[0])
            text.append(_drawn(shares[-1], generator))
        self._read = text[: cache.length]
        certain = sampling.temperature == 0 or not shares
        return Proposal(text[len(ids) :], None if certain else torch.stack(shares))

    def _rewound(self, ids: Sequence[int]) -> KVCache:
        """Return the cache with what it holds of `ids`, the last one left out at least."""
        if self._cache is None:
            self._cache = self._model.new_cache(1, self._model.config.context_length)
        pairs = zip(self._read, ids[:-1], strict=False)
        wrong = (place for place, (had, has) in enumerate(pairs) if had != has)
        self._cache.length = next(wrong, min(len(self._read), len(ids) - 1))
        return self._cache


def _drawn(shares: Tensor, generator: torch.Generator) -> int:
    """Return a token drawn from shares (V,)."""
    uniform = torch.rand(1, generator=generator, dtype=torch.float64).to(shares.device)
    cumulative = shares.cumsum(-1)
    place = torch.searchsorted(cumulative, uniform * cumulative[-1], right=True)
    return int(place.clamp_(max=len(shares) - 1))


if __name__ == "__main__":
    text_so_far = [ord(letter) for letter in "the cat and the c"]
    looked_up = LookupProposer().propose(text_so_far, 4, SamplingConfig(), torch.Generator())
    print("".join(map(chr, looked_up.ids)))
