"""What a released model does with either engine: it continues texts, one or many at once.

import hanlin
model = hanlin.load("runs/demo", engine="native")
print(model.generate(["从前", "Once upon a time"], seed=1))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, overload

from hanlin.config import SamplingConfig
from hanlin.errors import ModelError
from hanlin.generation import Completion, Prompt
from hanlin.models import read_learnt, read_proposal
from hanlin.tasks import TASKS
from hanlin.tokenizers import Tokenizer

__all__ = ["Continuing"]


class _Engine(Protocol):
    def generate_batch(
        self, prompts: Sequence[Prompt], sampling: SamplingConfig
    ) -> list[Completion]: ...

    def samples(self, prompt: Prompt, sampling: SamplingConfig, count: int) -> list[Completion]: ...

    def logprobs(self, token_ids: Sequence[int]) -> list[float]: ...


@dataclass(frozen=True)
class Continuing:
    """A released model with its tokenizer and the engine that computes."""

    folder: Path
    tokenizer: Tokenizer
    engine: _Engine

    @property
    def proposed(self) -> SamplingConfig:
        """How the released folder proposes to draw."""
        return read_proposal(self.folder)

    @overload
    def generate(self, prompt: str = "", **sampling: Any) -> str: ...

    @overload
    def generate(self, prompt: Sequence[str], **sampling: Any) -> list[str]: ...

    def generate(self, prompt: str | Sequence[str] = "", **sampling: Any) -> str | list[str]:
        """Return a continuation of `prompt`, or of each of several, written together.

        The options are those of `SamplingConfig`; what is not given is as the model proposes. Of
        several prompts, number i draws with the seed + i.
        """
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        texts = [text.text for text in self.complete_batch(prompts, self._sampling(sampling))]
        return texts[0] if isinstance(prompt, str) else texts

    def complete_batch(self, prompts: Sequence[str], sampling: SamplingConfig) -> list[Completion]:
        """Return a continuation of each prompt, written together; number i draws with seed + i."""
        return self.engine.generate_batch([self._begin(prompt) for prompt in prompts], sampling)

    def samples(self, prompt: str = "", *, count: int, **sampling: Any) -> list[Completion]:
        """Return several continuations of `prompt`, drawn with seeds in a row."""
        return self.engine.samples(self._begin(prompt), self._sampling(sampling), count)

    def logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Return the log-probability (nats) of each token after the first, given all before it."""
        return self.engine.logprobs(list(token_ids))

    def check_taught(self, skill: str) -> None:
        """Check that the model was taught a skill, such as `infill` or `dialogue`.

        Raises:
            ModelError: it was not; the stage that teaches it is named.
        """
        known = read_learnt(self.folder)
        if skill not in known:
            has = f"it learnt {', '.join(known)}" if known else "it learnt plain text alone"
            way = f"with the recipe's table [stages.augment], for instance {skill} = 0.1"
            if skill in TASKS:
                way = f"if its kind is `task` and one of [[stages.task.tasks]] is {skill!r}"
            raise ModelError(
                f"The model in {self.folder} was never taught `{skill}`; {has}. A stage teaches it "
                f"{way}."
            )

    def _sampling(self, given: dict[str, Any]) -> SamplingConfig:
        return SamplingConfig(**{**self.proposed.model_dump(), **given})

    def _begin(self, prompt: str) -> list[int]:
        """Return a prompt as the beginning of a document, as the model has learnt documents."""
        return self.tokenizer.begin_document(prompt)
