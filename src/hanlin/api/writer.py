"""A released model that writes on: text, token by token or at once, and its probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanlin.config import SamplingConfig, SearchConfig
from hanlin.errors import ModelError
from hanlin.generation import Completion, Engine, LookupProposer, ModelProposer, Speculation
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

    def generate(
        self, prompt: str = "", *, speculation: Speculation | None = None, **sampling: Any
    ) -> str:
        """Return a continuation of `prompt`; the options are those of `SamplingConfig`.

        What is not given is as the model proposes. A `speculation` (see `speculate`) makes it come
        faster and changes nothing else.
        """
        return self.complete(prompt, self._sampling(sampling), speculation).text

    def samples(self, prompt: str = "", *, count: int, **sampling: Any) -> list[Completion]:
        """Return several continuations of `prompt`, drawn with seeds in a row."""
        return self.engine.samples(self._begin(prompt), self._sampling(sampling), count)

    def search(self, prompt: str = "", **search: Any) -> list[Completion]:
        """Return the best continuations that a search finds, the best first.

        The options are those of `SearchConfig`.
        """
        return self.engine.search(self._begin(prompt), SearchConfig(**search))

    def stream(
        self, prompt: str = "", *, speculation: Speculation | None = None, **sampling: Any
    ) -> Iterator[str]:
        """Yield a continuation of `prompt` as it is written, whole characters only."""
        yield from self.engine.stream(self._begin(prompt), self._sampling(sampling), speculation)

    def complete(
        self, prompt: str, sampling: SamplingConfig, speculation: Speculation | None = None
    ) -> Completion:
        """Return a continuation with its token ids and the reason why it ended."""
        return self.engine.generate(self._begin(prompt), sampling, speculation)

    def speculate(self, draft: Writer | None = None, *, tokens: int = 4) -> Speculation:
        """Return a way of writing several tokens a pass, and the counts of how it goes.

        A smaller `draft` model proposes them, or, without one, the text itself.

        Raises:
            TokenizerError: the draft has another tokenizer.
        """
        proposer = ModelProposer(draft.engine, self.engine) if draft else LookupProposer()
        return Speculation(proposer, tokens)

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
