"""How likely a model finds given tokens, in one pass and never with all logits at once.

python -m hanlin.generation.scoring
"""

from __future__ import annotations

import torch
from torch import Tensor

from hanlin.models import Decoder

__all__ = ["score_tokens"]

_HEAD_CHUNK = 512
"""Positions whose logits are held at once."""


@torch.inference_mode()
def score_tokens(model: Decoder, ids: Tensor) -> list[float]:
    """Return the log-probability (nats) of each token of ids (1, T) after the first."""
    hidden, targets = model.hidden(ids[:, :-1])[0], ids[0, 1:]  # (T - 1, C), (T - 1,)
    scores: list[float] = []
    chunks = zip(torch.split(hidden, _HEAD_CHUNK), torch.split(targets, _HEAD_CHUNK), strict=True)
    for rows, wanted in chunks:
        logits = model.head(rows).float().log_softmax(-1)
        scores += logits.gather(-1, wanted[:, None])[:, 0].tolist()
    return scores


if __name__ == "__main__":
    from hanlin.config import ModelConfig
    from hanlin.models import build_model

    shape = ModelConfig(vocab_size=64, hidden_size=32, num_heads=2, num_layers=1)
    print(score_tokens(build_model(shape, seed=1), torch.arange(5)[None]))
