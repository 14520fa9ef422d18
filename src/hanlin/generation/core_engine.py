"""The native core under torch's rules of drawing: what a server writes with.

The core turns tokens into logits, as in `hanlin.generation.native`; each text is then drawn as the
scheduler of `hanlin.generation.Engine` draws it. So every setting of sampling is followed,
constraints and log-probabilities too, without torch's copy of the weights.

    engine = CoreEngine(NativeEngine(load_native(folder), load_tokenizer(folder)))
    worker = BatchWorker(Scheduler(engine))

Shapes: R rows, T tokens, V vocab.

    python -m hanlin.generation.core_engine FOLDER PROMPT
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hanlin.config import BatchingConfig, SamplingConfig
from hanlin.generation.draft import Completion, Draft
from hanlin.generation.drawing import begin_job, draw_next
from hanlin.generation.job import Job
from hanlin.generation.native import NativeEngine, NativeModel
from hanlin.generation.native.texts import NativeTexts
from hanlin.generation.prompts import Prompt
from hanlin.generation.scheduler import Scheduler
from hanlin.generation.vocabulary import Vocabulary

__all__ = ["CoreEngine"]


class CoreEngine:
    """Continues and scores texts: logits by the core, rules by torch."""

    def __init__(self, native: NativeEngine) -> None:
        """Draw from the logits of `native`."""
        self.native, self.tokenizer = native, native.tokenizer
        self.vocabulary = Vocabulary(native.tokenizer)

    @property
    def model(self) -> NativeModel:
        """The decoder in the core."""
        return self.native.model

    def ending_at(self, *names: str) -> CoreEngine:
        """Return the same engine, whose texts end at further control tokens too."""
        other = copy(self)
        other.vocabulary = self.vocabulary.ending_at(*names)
        return other

    def generate(self, prompt: Prompt, sampling: SamplingConfig) -> Completion:
        """Return a continuation of a text or of token ids; an empty one begins a new document.

        Raises:
            UserError: if the prompt leaves no room in the model's context, or a rule of drawing
                cannot be followed.
        """
        scheduler = Scheduler(self, BatchingConfig(max_running=1, prefix_reuse=False))
        job = scheduler.submit(prompt, sampling)
        scheduler.run()
        return job.complete()

    def logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Return the log-probability (nats) of each token after the first, given all before it."""
        return self.native.logprobs(token_ids)

    def prompt_logits(self, token_ids: Sequence[int]) -> Iterator[Tensor]:
        """Yield the logits (T, V) after each token but the last, some at once."""
        for rows in self.native.prompt_logits(token_ids):
            yield torch.from_numpy(rows)

    def states(self, token_ids: Sequence[int]) -> Tensor:
        """Return the states (T, C) that the head reads after each token.

        Raises:
            ModelError: if there is no memory for the keys and values.
        """
        ids = np.asarray(token_ids, dtype=np.int64)
        return torch.from_numpy(self.native.model.session(len(ids)).states(ids))

    def begin(self, prompt: Prompt, sampling: SamplingConfig) -> Draft:
        """Return an empty draft after a prompt, checked as for `generate`."""
        return self.native.begin(prompt, sampling)

    def take(self, draft: Draft, token: int) -> None:
        """Add a drawn token to a draft, or end it at an end token."""
        if token in self.vocabulary.ends:
            draft.end("stop")
        else:
            draft.write(token, self.vocabulary.piece(token))

    def texts(self, config: BatchingConfig) -> NativeTexts:
        """Return an empty batch for a scheduler."""
        return _RuledTexts(self, config)


class _RuledTexts(NativeTexts):
    """Native texts that are drawn by torch's rules."""

    def __init__(self, engine: CoreEngine, config: BatchingConfig) -> None:
        super().__init__(engine.native, config)
        self._ruled = engine

    def begin(self, prompt: Prompt, sampling: SamplingConfig) -> Job:
        return begin_job(self._ruled.begin(prompt, sampling), sampling, self._ruled.vocabulary)

    def take(self, job: Job, token: int) -> None:
        self._ruled.take(job.draft, token)

    def draw(self, jobs: Sequence[Job], logits: Sequence[NDArray[np.float32]]) -> list[int]:
        if not jobs:
            return []
        size = self._ruled.vocabulary.size
        found = torch.from_numpy(np.stack([scores[:size] for scores in logits]))  # (R, V)
        return draw_next(found, jobs, self._ruled.vocabulary, one_by_one=self.config.deterministic)


if __name__ == "__main__":
    import sys
    from pathlib import Path

    from hanlin.generation.native import load_native
    from hanlin.tokenizers import load_tokenizer

    if len(sys.argv) != 3:
        sys.exit("python -m hanlin.generation.core_engine FOLDER PROMPT")
    place = Path(sys.argv[1])
    writer = CoreEngine(NativeEngine(load_native(place), load_tokenizer(place)))
    print(writer.generate(sys.argv[2], SamplingConfig(temperature=0, logprobs=1)))
