"""Requests with rules of their own, and the next tokens of texts that share a step.

Texts with equal settings are drawn together; one with rules or penalties of its own, or under the
repeatable way, is drawn as the only row. Either way each uses its own uniform number.

Shapes: R rows, V vocab.

    python -m hanlin.generation.drawing
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hanlin.config import SamplingConfig
from hanlin.errors import UserError
from hanlin.generation.draft import Draft
from hanlin.generation.job import Job, shared_settings
from hanlin.generation.logprobs import note_logprobs
from hanlin.generation.native.sampling import uniforms
from hanlin.generation.rules import Steering
from hanlin.generation.sampling import draw
from hanlin.generation.soundness import require_finite
from hanlin.generation.vocabulary import Vocabulary

__all__ = ["begin_job", "draw_next"]


def begin_job(draft: Draft, sampling: SamplingConfig, vocabulary: Vocabulary) -> Job:
    """Return a request that writes after an empty draft, with its rules.

    Raises:
        UserError: a rule of drawing cannot be followed.
    """
    if sampling.guidance != 1 or sampling.best_of > 1:
        raise UserError(
            f"guidance {sampling.guidance} and best_of {sampling.best_of} ask for more than one "
            "text, and the scheduler writes one a request. Leave them at 1, or call the engine."
        )
    steering = Steering(sampling, vocabulary, [draft]) if Steering.matters(sampling) else None
    chance = uniforms(sampling.seed, draft.limit).tolist()
    return Job(draft, shared_settings(sampling), chance, steering=steering)


@torch.inference_mode()
def draw_next(
    logits: Tensor, jobs: Sequence[Job], vocabulary: Vocabulary, *, one_by_one: bool
) -> list[int]:
    """Return the next token of each job, whose logits are the rows of (R, V).

    Raises:
        NotFiniteError: a row holds numbers that are none.
    """
    require_finite(logits, [job.draft for job in jobs])
    tokens = [0] * len(jobs)
    for rows in _groups(jobs, one_by_one):
        sampling, steering = jobs[rows[0]].sampling, jobs[rows[0]].steering
        plain = (logits if len(rows) == len(jobs) else logits[rows]).float()
        chance = [jobs[row].chance[len(jobs[row].draft.ids)] for row in rows]
        uniform = torch.tensor(chance, dtype=torch.float64, device=logits.device)
        ids = draw(plain if steering is None else steering.steer(plain), sampling, uniform)
        if steering is not None:
            ids = steering.amend(ids)
            steering.take(ids)
        if sampling.logprobs is not None:
            notes = note_logprobs(plain, ids, sampling.logprobs, vocabulary)
            for row, note in zip(rows, notes, strict=True):
                if note.id not in vocabulary.ends:
                    jobs[row].draft.logprobs.append(note)
        for row, token in zip(rows, ids.tolist(), strict=True):
            tokens[row] = token
    return tokens


def _groups(jobs: Sequence[Job], one_by_one: bool) -> list[list[int]]:
    groups: dict[object, list[int]] = {}
    for row, job in enumerate(jobs):
        alone = one_by_one or job.steering is not None
        groups.setdefault(row if alone else job.sampling, []).append(row)
    return list(groups.values())


if __name__ == "__main__":
    from hanlin.generation.stream import TextStream
    from hanlin.tokenizers import train_tokenizer

    texts = [
        Job(Draft([1], 1, TextStream()), SamplingConfig(temperature=1.0), [number])
        for number in (0.1, 0.9)
    ]
    letters = Vocabulary(train_tokenizer("char", ["从前有一只小猫。"], 350))
    print(draw_next(torch.zeros(2, 350), texts, letters, one_by_one=False))
