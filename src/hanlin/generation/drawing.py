"""The next tokens of texts that share a step but not their settings.

Texts with equal settings are drawn together; one with a history of its own (penalties), or under
the repeatable way, is drawn as the only row. Either way each uses its own uniform number.

Shapes: R rows, V vocab.

    python -m hanlin.generation.drawing
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hanlin.config import SamplingConfig
from hanlin.generation.job import Job
from hanlin.generation.sampling import TokenHistory, draw, penalise

__all__ = ["draw_next", "shared_settings"]


def shared_settings(sampling: SamplingConfig) -> SamplingConfig:
    """Return the settings without those that concern one text only, so that equal ones meet."""
    return sampling.model_copy(update={"seed": None, "max_tokens": 1, "stop": ()})


@torch.inference_mode()
def draw_next(logits: Tensor, jobs: Sequence[Job], *, one_by_one: bool) -> list[int]:
    """Return the next token of each job, whose logits are the rows of (R, V)."""
    tokens = [0] * len(jobs)
    for rows in _groups(jobs, one_by_one):
        sampling = jobs[rows[0]].sampling
        chosen = logits if len(rows) == len(jobs) else logits[rows]
        history = _history(jobs[rows[0]], chosen)
        chance = [jobs[row].chance[len(jobs[row].draft.ids)] for row in rows]
        uniform = torch.tensor(chance, dtype=torch.float64, device=logits.device)
        ids = draw(penalise(chosen.float(), sampling, history), sampling, uniform)
        if history is not None:
            history.add(ids)
        for row, token in zip(rows, ids.tolist(), strict=True):
            tokens[row] = token
    return tokens


def _groups(jobs: Sequence[Job], one_by_one: bool) -> list[list[int]]:
    groups: dict[object, list[int]] = {}
    for row, job in enumerate(jobs):
        alone = one_by_one or TokenHistory.matters(job.sampling)
        groups.setdefault(row if alone else job.sampling, []).append(row)
    return list(groups.values())


def _history(job: Job, logits: Tensor) -> TokenHistory | None:
    """Return the job's history, begun with its prompt, where its settings need one."""
    if TokenHistory.matters(job.sampling) and job.history is None:
        job.history = TokenHistory([job.draft.prompt], logits.float())
    return job.history


if __name__ == "__main__":
    from hanlin.generation.draft import Draft
    from hanlin.generation.stream import TextStream

    texts = [
        Job(Draft([1], 1, TextStream()), SamplingConfig(temperature=1.0), [number])
        for number in (0.1, 0.9)
    ]
    print(draw_next(torch.zeros(2, 8), texts, one_by_one=False))
