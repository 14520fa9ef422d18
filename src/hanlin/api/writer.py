"""A released model that writes on: text, token by token or at once, and its probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanlin.config import SamplingConfig
from hanlin.errors import ModelError
from hanlin.generation import Completion, Engine
from hanlin.models import Decoder, read_learnt, read_proposal
from hanlin.tasks import TASKS
from hanlin.tokenizers import Tokenizer

__all__ = ["Writer"]


@dataclass(frozen=True)
class Writer:
    """A released model with its tokenizer: what every model can do, taught or not."""

    folder: Path
    tokenizer: Tokenizer
    decoder: Decoder
    engine: Engine
    expansion: str = ""
    """The expansion that is merged into the decoder, if any."""

    @property
    def proposed(self) -> SamplingConfig:
        """How the released folder proposes to draw."""
        return read_proposal(self.folder)

    def generate(self, prompt: str = "", **sampling: Any) -> str:
        """Return a continuation of `prompt`; the options are those of `SamplingConfig`.

        What is not given is as the model proposes.
        """
        return self.complete(prompt, self._sampling(sampling)).text

    def stream(self, prompt: str = "", **sampling: Any) -> Iterator[str]:
        """Yield a continuation of `prompt` as it is written, whole characters only."""
        yield from self.engine.stream(self._begin(prompt), self._sampling(sampling))

    def complete(self, prompt: str, sampling: SamplingConfig) -> Completion:
        """Return a continuation with its token ids and the reason why it ended."""
        return self.engine.generate(self._begin(prompt), sampling)

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
        ids = self.tokenizer.encode(prompt)
        return ids if self.tokenizer.kind == "hf" else [self.tokenizer.eot_id, *ids]
