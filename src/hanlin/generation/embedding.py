"""A text as one vector: the mean of its tokens' last hidden states, of length one.

    e = h / |h|,   h = mean over the text's own tokens of the states that the head reads

A decoder's states are made to foretell the next token and not to compare texts; their mean is a
fair vector for finding what is alike, a trained embedding model a better one. A text is read alone,
so that its vector does not depend on what else is asked.

    python -m hanlin.generation.embedding
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from hanlin.errors import NotFiniteError

__all__ = ["Reading", "embed_ids"]


class Reading(Protocol):
    """An engine that shows its states."""

    def states(self, token_ids: Sequence[int]) -> Tensor:
        """Return the states (T, C) that the head reads."""


@torch.inference_mode()
def embed_ids(engine: Reading, ids: Sequence[int], first: int = 0) -> Tensor:
    """Return the vector (C,) of a text, in fp32; its tokens before `first` are only read.

    Raises:
        ModelError: the text is longer than the context.
        NotFiniteError: the states hold numbers that are none.
    """
    mean = engine.states(ids)[first:].float().mean(0)  # (C,)
    if not bool(mean.isfinite().all()):
        raise NotFiniteError(
            "The model's hidden states of this text are not finite, so that it has no vector. "
            "Its weights hold numbers that are none: take an earlier release or checkpoint."
        )
    return F.normalize(mean, dim=0).cpu()


if __name__ == "__main__":
    from hanlin.config import ModelConfig
    from hanlin.generation.engine import Engine
    from hanlin.models import build_model, resolve_model
    from hanlin.tokenizers import train_tokenizer

    letters = train_tokenizer("char", ["从前有一只小猫。"], 350)
    tiny = build_model(resolve_model(ModelConfig(preset="1m", num_layers=1), 350), seed=1)
    one, other = (embed_ids(Engine(tiny, letters), letters.encode(text)) for text in ("猫", "小猫"))
    print(float(one @ other))
