"""The log-probabilities of a prompt's own tokens, which `echo` with `logprobs` asks for.

python -m hanlin.serving.scoring
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hanlin.generation import TokenLogprob
from hanlin.generation.logprobs import note_logprobs
from hanlin.serving.served import Computing

__all__ = ["note_prompt"]


@torch.inference_mode()
def note_prompt(engine: Computing, ids: Sequence[int], count: int) -> list[TokenLogprob]:
    """Return what is to be noted of each token after the first, with `count` likeliest ones."""
    vocabulary = engine.vocabulary
    notes: list[TokenLogprob] = []
    for rows in engine.prompt_logits(ids):
        targets = torch.tensor(ids[len(notes) + 1 :][: len(rows)], device=rows.device)  # (T,)
        notes += note_logprobs(rows[:, : vocabulary.size], targets, count, vocabulary)
    return notes


if __name__ == "__main__":
    from hanlin.config import ModelConfig
    from hanlin.generation import Engine
    from hanlin.models import build_model, resolve_model
    from hanlin.tokenizers import train_tokenizer

    letters = train_tokenizer("char", ["从前有一只小猫。"], 350)
    tiny = build_model(resolve_model(ModelConfig(preset="1m", num_layers=1), 350), seed=1)
    print(note_prompt(Engine(tiny, letters), letters.encode("从前有"), 1))
