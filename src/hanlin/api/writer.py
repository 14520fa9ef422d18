"""A released model that writes on: text, token by token or at once, and its probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

from hanlin.api.continuing import Continuing
from hanlin.config import SamplingConfig, SearchConfig
from hanlin.errors import UserError
from hanlin.generation import Completion, Engine, LookupProposer, ModelProposer, Speculation
from hanlin.models import Decoder

__all__ = ["Writer"]


@dataclass(frozen=True)
class Writer(Continuing):
    """A released model with its tokenizer: what every model can do, taught or not."""

    engine: Engine
    decoder: Decoder
    expansion: str = ""
    """The expansion that is merged into the decoder, if any."""

    @overload
    def generate(
        self, prompt: str = "", *, speculation: Speculation | None = None, **sampling: Any
    ) -> str: ...

    @overload
    def generate(self, prompt: Sequence[str], **sampling: Any) -> list[str]: ...

    def generate(
        self,
        prompt: str | Sequence[str] = "",
        *,
        speculation: Speculation | None = None,
        **sampling: Any,
    ) -> str | list[str]:
        """Return a continuation of `prompt`, or of each of several, written together.

        The options are those of `SamplingConfig`; what is not given is as the model proposes. Of
        several prompts, number i draws with the seed + i. A `speculation` (see `speculate`) makes
        one text come faster and changes nothing else.
        """
        if speculation is None:
            return super().generate(prompt, **sampling)
        if not isinstance(prompt, str):
            raise UserError(
                f"A speculation is for one text, and there are {len(prompt)} prompts. Leave it out."
            )
        return self.complete(prompt, self._sampling(sampling), speculation).text

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
