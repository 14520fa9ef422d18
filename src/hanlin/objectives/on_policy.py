"""What the student itself would write, for its teachers to judge (GKD; arXiv:2306.13649).

A student that only ever reads human text never learns what to do after its own mistakes. So it
writes on from the beginning of each row, and learns from the teachers' probabilities there
(Agarwal et al. 2023). No gradient goes through the writing.

B batch, T time, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hanlin.models import Decoder
from hanlin.objectives.next_token import TokenBatch

__all__ = ["write_on"]


@torch.no_grad()
def write_on(student: Decoder, ids: Tensor, count: int, generator: torch.Generator) -> TokenBatch:
    """Replace the last `count` ids of each row (B, T + 1) by what the student draws there.

    Only the drawn tokens are targets that count, and none of a row that is padded before them.
    """
    whole = ids.shape[1]
    written = ids.clamp_min(0).clone()
    training = student.training
    student.eval()
    cache = student.new_cache(ids.shape[0], whole)
    fresh = written[:, : whole - count]
    for place in range(whole - count, whole):
        logits = student.head(student.hidden(fresh, cache=cache)[:, -1])  # (B, V)
        fresh = torch.multinomial(logits.float().softmax(-1), 1, generator=generator)
        written[:, place : place + 1] = fresh
    student.train(training)
    weights = torch.zeros_like(written[:, 1:], dtype=torch.float32)  # (B, T)
    weights[:, -count:] = (ids[:, : whole - count] >= 0).all(1, keepdim=True).float()
    return TokenBatch(written[:, :-1], written[:, 1:], weights)
