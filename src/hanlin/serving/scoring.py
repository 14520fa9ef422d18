"""The log-probabilities of a prompt's own tokens, which `echo` with `logprobs` asks for.

python -m hanlin.serving.scoring
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hanlin.generation import Engine, TokenLogprob
from hanlin.generation.logprobs import note_logprobs

__all__ = ["note_prompt"]

_ROWS = 256
"""Positions whose logits are held at once."""


@torch.inference_mode()
def note_prompt(engine: Engine, ids: Sequence[int], count: int) -> list[TokenLogprob]:
    """Return what is to be noted of each token after the first, with `count` likeliest ones."""
    if len(ids) < 2:
        return []
    tokens = torch.tensor([list(ids)], device=engine.model.embedding.weight.device)
    hidden, targets = engine.model.hidden(tokens[:, :-1])[0], tokens[0, 1:]  # (T - 1, C), (T - 1,)
    size = engine.vocabulary.size
    notes: list[TokenLogprob] = []
    hidden_parts, target_parts = torch.split(hidden, _ROWS), torch.split(targets, _ROWS)
    for rows, wanted in zip(hidden_parts, target_parts, strict=True):
        notes += note_logprobs(engine.model.head(rows)[:, :size], wanted, count, engine.vocabulary)
    return notes


if __name__ == "__main__":
    from hanlin.config import ModelConfig
    from hanlin.models import build_model, resolve_model
    from hanlin.tokenizers import train_tokenizer

    letters = train_tokenizer("char", ["从前有一只小猫。"], 350)
    tiny = build_model(resolve_model(ModelConfig(preset="1m", num_layers=1), 350), seed=1)
    print(note_prompt(Engine(tiny, letters), letters.encode("从前有"), 1))
