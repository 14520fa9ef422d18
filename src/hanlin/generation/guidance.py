"""Classifier-free guidance: how far the prompt counts beyond the same text without it.

    log p'(x) = log p(x | without) + guidance * (log p(x | with) - log p(x | without))

Sanchez et al. 2023 (arXiv 2306.17806). "Without" is the negative prompt, or the prompt's last
token alone, followed by what has been written so far. It takes a second reading of each token.

B batch, V vocab.

    python -m hanlin.generation.guidance
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hanlin.config import SamplingConfig
from hanlin.errors import UserError
from hanlin.generation.draft import Draft
from hanlin.generation.vocabulary import Vocabulary
from hanlin.models import Decoder

__all__ = ["Guidance", "combine"]


class Guidance:
    """The reading without the prompt, beside a batch that is written."""

    def __init__(
        self,
        model: Decoder,
        vocabulary: Vocabulary,
        sampling: SamplingConfig,
        drafts: Sequence[Draft],
    ) -> None:
        """Make ready for texts with nothing written yet.

        Raises:
            UserError: the negative prompt leaves too little room in the model's context.
        """
        self._model = model
        self._strength = sampling.guidance
        self._size = vocabulary.size
        negative = vocabulary.tokenizer.encode(sampling.negative_prompt)
        rows = [negative or draft.prompt[-1:] for draft in drafts]
        length = len(rows[0]) + max(draft.limit for draft in drafts)
        if length > model.config.context_length:
            raise UserError(
                f"The negative prompt has {len(negative)} tokens and leaves too little of the "
                f"model's context of {model.config.context_length}. Shorten it."
            )
        self._next = torch.tensor(rows, device=model.embedding.weight.device)
        self._cache = model.new_cache(len(drafts), length)

    def guide(self, logits: Tensor) -> Tensor:
        """Return logits (B, V) led away from those of the reading without the prompt."""
        hidden = self._model.hidden(self._next, cache=self._cache)[:, -1]
        return combine(logits, self._model.head(hidden)[:, : self._size].float(), self._strength)

    def take(self, ids: Tensor) -> None:
        """Note the tokens (B,) that were written."""
        self._next = ids[:, None]

    def keep_rows(self, rows: Tensor) -> None:
        """Keep only the rows whose numbers are given, in that order."""
        self._next = self._next[rows]
        self._cache.keep_rows(rows)


def combine(with_prompt: Tensor, without: Tensor, strength: float) -> Tensor:
    """Return guided log-probabilities, not summing to one, of logits (B, V)."""
    base = without.log_softmax(-1)
    return base + strength * (with_prompt.log_softmax(-1) - base)


if __name__ == "__main__":
    print(combine(torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([[1.0, 1.0, 1.0]]), 2.0))
