"""A released model in the native engine: it writes on, without torch's copy of the weights.

import hanlin
model = hanlin.load("runs/demo", engine="native")
print(model.generate("从前"))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanlin.api.continuing import Continuing
from hanlin.config import SamplingConfig
from hanlin.errors import UserError
from hanlin.generation import Completion
from hanlin.generation.native import NativeEngine, load_native, why_not_native
from hanlin.tokenizers import load_tokenizer

__all__ = ["NativeWriter", "load_writer"]


@dataclass(frozen=True)
class NativeWriter(Continuing):
    """A released model with its tokenizer, which the native engine computes."""

    engine: NativeEngine

    def stream(self, prompt: str = "", **sampling: Any) -> Iterator[str]:
        """Yield a continuation of `prompt` as it is written, whole characters only."""
        yield from self.engine.stream(self._begin(prompt), self._sampling(sampling))

    def complete(self, prompt: str, sampling: SamplingConfig) -> Completion:
        """Return a continuation with its token ids and the reason why it ended."""
        return self.complete_batch([prompt], sampling)[0]

    def complete_batch(self, prompts: Sequence[str], sampling: SamplingConfig) -> list[Completion]:
        """Return a continuation of each prompt, written together; number i draws with seed + i.

        Raises:
            UserError: a setting is torch's alone, or a prompt leaves no room in the context.
        """
        _check(self.folder, sampling)
        return super().complete_batch(prompts, sampling)

    def _sampling(self, given: dict[str, Any]) -> SamplingConfig:
        sampling = super()._sampling(given)
        _check(self.folder, sampling)
        return sampling


def load_writer(folder: Path, *, device: str, expansion: str | None) -> NativeWriter:
    """Load a released folder into the native engine.

    Raises:
        UserError: the native engine cannot hold this model, or not on this device.
    """
    _check(folder, SamplingConfig(), device=device, expansion=expansion)
    tokenizer = load_tokenizer(folder)
    return NativeWriter(folder, tokenizer, NativeEngine(load_native(folder), tokenizer))


def _check(
    folder: Path, sampling: SamplingConfig, *, device: str = "cpu", expansion: str | None = ""
) -> None:
    if why := why_not_native(folder, sampling, device=device, expansion=expansion):
        raise UserError(f'engine="native" is not possible: {why}. Load with engine="torch".')
