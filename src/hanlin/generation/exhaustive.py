"""Every text there is, scored: what a beam that is wide enough must find. For tiny vocabularies.

python -m hanlin.generation.exhaustive
"""

from __future__ import annotations

import itertools

import torch

from hanlin.generation.beam import Found
from hanlin.generation.vocabulary import Vocabulary
from hanlin.models import Decoder

__all__ = ["search_exhaustively"]


@torch.inference_mode()
def search_exhaustively(
    model: Decoder, vocabulary: Vocabulary, prompt: list[int], limit: int, length_penalty: float
) -> list[Found]:
    """Return all texts of at most `limit` tokens, the best first, each read as a whole."""
    going_on = [token for token in range(vocabulary.size) if token not in vocabulary.ends]
    found: list[Found] = []
    for length in range(limit + 1):
        for text in itertools.product(going_on, repeat=length):
            ended = [[*text, end] for end in sorted(vocabulary.ends)] if length < limit else []
            whole = [list(text)] if length == limit else []
            for ids in (*ended, *whole):
                total = _total(model, vocabulary.size, prompt, ids)
                score = total / len(ids) ** length_penalty
                found.append(Found(list(text), total, score, ended=length < limit))
    return sorted(found, key=lambda text: -text.score)


def _total(model: Decoder, size: int, prompt: list[int], ids: list[int]) -> float:
    logits = model(torch.tensor([[*prompt, *ids]]))[0, len(prompt) - 1 : -1, :size]
    return float(logits.log_softmax(-1).gather(-1, torch.tensor(ids)[:, None]).sum())


if __name__ == "__main__":
    from hanlin.config import ModelConfig
    from hanlin.models import build_model
    from hanlin.tokenizers import train_tokenizer

    letters = train_tokenizer("char", ["从前有一只小猫。"], 350)
    shape = ModelConfig(vocab_size=350, hidden_size=32, num_heads=2, num_layers=1)
    small = build_model(shape, seed=1).eval()
    print(search_exhaustively(small, Vocabulary(letters), letters.encode("小"), 1, 1.0)[:3])
