"""What a model can write where text was transformed for it to learn from: gaps, and backwards."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from hanlin.api.writer import Writer
from hanlin.config import SamplingConfig
from hanlin.data import encode_marked
from hanlin.errors import UserError
from hanlin.generation import Completion
from hanlin.text.augmentation import (
    FIM_MIDDLE,
    FIM_PREFIX,
    FIM_SUFFIX,
    REVERSE,
    SEPARATOR,
    Marked,
    Part,
    cut_runs,
)

__all__ = ["Transforms"]


class Transforms(Writer):
    """The verbs that a stage's table `augment` teaches."""

    def infill(self, prefix: str, suffix: str, **sampling: Any) -> str:
        """Return what stands between a prefix and a suffix.

        Raises:
            ModelError: the model was never taught to fill in.
        """
        return self.complete_between(prefix, suffix, self._sampling(sampling)).text

    def complete_between(self, prefix: str, suffix: str, sampling: SamplingConfig) -> Completion:
        """Return what stands between two texts, with its token ids and why it ended."""
        self.check_taught("infill")
        ask = (Part(FIM_PREFIX, prefix), Part(FIM_SUFFIX, suffix), Part(FIM_MIDDLE, ""))
        return self.engine.generate(self._marked(ask), sampling)

    def reverse(self, text: str, **sampling: Any) -> str:
        """Return a text that ends with `text`: what comes before it is written, from its end on.

        Raises:
            ModelError: the model was never taught to write backwards.
            UserError: the text is empty.
        """
        self.check_taught("reverse")
        if not text.strip():
            raise UserError("There is no text to write towards. Give the end that it shall have.")
        options = self._sampling(sampling)
        runs = cut_runs(text, random.Random(options.seed or 0))[::-1]
        ask = [Part(SEPARATOR, run) for run in [*runs, ""]]
        ask[0] = Part(REVERSE, ask[0].text)
        completion = self.engine.generate(self._marked(tuple(ask)), options)
        return self._unreversed(completion.ids) + text

    def _unreversed(self, ids: Sequence[int]) -> str:
        """Return runs of words that were written last first in their right order."""
        separator = self.tokenizer.control[SEPARATOR]
        runs: list[list[int]] = [[]]
        for token in ids:
            if token == separator:
                runs.append([])
            else:
                runs[-1].append(token)
        return self.tokenizer.decode([token for run in reversed(runs) for token in run])

    def _marked(self, parts: Marked) -> list[int]:
        return [self.tokenizer.eot_id, *encode_marked(parts, self.tokenizer).tolist()]
