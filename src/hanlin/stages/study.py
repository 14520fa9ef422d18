"""What a prediction rests on: the last token, the context before it, and the order of that.

At places in held-out text the next token is predicted from a window of context, once as it is and
three times with a part of it spoilt. The bits that it costs more are what that part contributes:

    last token       is another one, drawn from all windows' last tokens
    older context    is gone; the last token stands alone
    positions        the older context is there, but in another order

They do not add up: what one part says another may say too.

B windows, T tokens of a window.

    python -m hanlin.stages.study
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from hanlin.evaluation import Continuation
from hanlin.models import Decoder
from hanlin.stages.passages import Passages

__all__ = ["study_context"]

_WINDOW = 24
_STEP = 5
"""Tokens between two places of one text."""
_FEWEST = 8


def study_context(model: Decoder, passages: Passages, seed: int) -> dict[str, dict[str, float]]:
    """Return by language the bits a token, whole and with each part of the context spoilt.

    Nothing for a model whose context is shorter than a window.
    """
    if model.config.context_length < _WINDOW:
        return {}
    return {
        language: _study(model, windows, torch.Generator().manual_seed(seed))
        for language, group in passages.items()
        if len(windows := _windows(group)) >= _FEWEST
    }


@torch.inference_mode()
def _study(model: Decoder, windows: Tensor, generator: torch.Generator) -> dict[str, float]:
    """Return the measures on windows (B, T + 1), whose last column is what is predicted."""
    device = model.embedding.weight.device
    context, target = windows[:, :-1].to(device), windows[:, -1].to(device)
    other = torch.randperm(len(windows), generator=generator).to(device)
    order = torch.randperm(context.shape[1] - 1, generator=generator).to(device)
    last = context[:, -1:]
    whole = _bits(model, context, target)
    spoilt = {
        "last_token": torch.cat([context[:, :-1], last[other]], 1),
        "older_context": last,
        "positions": torch.cat([context[:, :-1][:, order], last], 1),
    }
    costs = {f"{name}_adds": _bits(model, ids, target) - whole for name, ids in spoilt.items()}
    return {"bits_per_token": whole, **costs, "places": float(len(windows))}


def _bits(model: Decoder, ids: Tensor, target: Tensor) -> float:
    logits = model.head(model.hidden(ids)[:, -1]).float()
    return float(torch.nn.functional.cross_entropy(logits, target)) / math.log(2)


def _windows(group: Sequence[Continuation]) -> Tensor:
    """Return windows out of texts, each with the token that follows it."""
    texts = [torch.tensor([*passage.prompt, *passage.ids]) for passage in group]
    size = _WINDOW + 1
    found = [text.unfold(0, size, _STEP) for text in texts if len(text) >= size]
    return torch.cat(found).long() if found else torch.empty(0, size, dtype=torch.long)


if __name__ == "__main__":
    from hanlin.config import ModelConfig
    from hanlin.models import build_model

    shape = ModelConfig(vocab_size=64, hidden_size=32, num_heads=2, num_layers=1)
    counting = [Continuation(range(n, n + 20), range(n + 20, n + 40), "") for n in range(20)]
    print(study_context(build_model(shape, seed=1), {"en": counting}, seed=1))
