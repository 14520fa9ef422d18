"""Continue and score one text at a time with the native core: the engine that a command waits for.

The rules are those of `hanlin.generation.engine`: how a text ends, what is refused, how it is
drawn. Sampling stays in Python; the core turns tokens into logits.

    python -m hanlin.generation.native.engine FOLDER PROMPT
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hanlin.config import SamplingConfig
from hanlin.errors import ModelError
from hanlin.generation.draft import Completion, Draft
from hanlin.generation.native.model import NativeModel
from hanlin.generation.native.sampling import History, draw, needs_history, uniforms
from hanlin.generation.prompts import (
    Prompt,
    begin_draft,
    check_scorable,
    check_tokenizer,
    end_tokens,
)

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer

__all__ = ["NativeEngine"]

_CHUNK = 256
"""Tokens that the core reads at once, between which a signal is heard."""


class NativeEngine:
    """Continues and scores texts with one model in the core."""

    def __init__(self, model: NativeModel, tokenizer: Tokenizer) -> None:
        """Join a model and its tokenizer.

        Raises:
            TokenizerError: if the tokenizer has more entries than the model has rows.
        """
        check_tokenizer(tokenizer, model.config)
        self.model, self.tokenizer = model, tokenizer
        self._control = frozenset(tokenizer.control.values())
        self._ends = end_tokens(tokenizer)

    def generate(self, prompt: Prompt, sampling: SamplingConfig) -> Completion:
        """Return a continuation of a text or of token ids; an empty one begins a new document.

        Raises:
            UserError: if the prompt leaves no room in the model's context.
        """
        draft = self._begin(prompt, sampling)
        for _ in self._write(draft, sampling):
            pass
        return draft.complete()

    def stream(self, prompt: Prompt, sampling: SamplingConfig) -> Iterator[str]:
        """Yield a continuation as it is written, in pieces of whole characters.

        Raises:
            UserError: if the prompt leaves no room in the model's context.
        """
        draft = self._begin(prompt, sampling)
        sent = 0
        for _ in self._write(draft, sampling):
            yield from draft.pieces[sent:]
            sent = len(draft.pieces)

    def logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Return the log-probability (nats) of each token after the first, given all before it.

        Raises:
            UserError: if the tokens do not fit the model's context or its vocabulary.
        """
        check_scorable(token_ids, self.model.config)
        if len(token_ids) < 2:
            return []
        session = self.model.session(len(token_ids) - 1)
        scores: list[float] = []
        for first in range(0, len(token_ids) - 1, _CHUNK):
            targets = np.asarray(token_ids[first + 1 : first + 1 + _CHUNK])
            ids = np.asarray(token_ids[first : first + len(targets)], dtype=np.int64)
            logits = self._checked(session.read(ids, all=True)).astype(np.float64)  # (T, V)
            logits -= logits.max(-1, keepdims=True)
            norms = np.log(np.exp(logits).sum(-1))
            scores += (logits[np.arange(len(targets)), targets] - norms).tolist()
        return scores

    def _begin(self, prompt: Prompt, sampling: SamplingConfig) -> Draft:
        return begin_draft(prompt, sampling, self.tokenizer, self.model.config)

    def _write(self, draft: Draft, sampling: SamplingConfig) -> Iterator[None]:
        """Write a draft to its end, a token each a step; yield after each step."""
        session = self.model.session(len(draft.prompt) + draft.limit)
        chance = uniforms(sampling.seed, draft.limit)
        vocab = self.tokenizer.vocab_size
        history = History(draft.prompt, vocab) if needs_history(sampling) else None
        logits = self._read(session, draft.prompt)
        for step in range(draft.limit):
            # Rows of the model beyond the vocabulary are padding, which is never drawn.
            scores = self._checked(logits[:vocab])
            if history is not None:
                scores = history.penalise(scores, sampling)
            token = draw(scores, sampling, float(chance[step]))
            if history is not None:
                history.add(token)
            self._take(draft, token)
            yield
            if draft.reason is not None:
                return
            logits = self._read(session, [token])

    def _read(self, session: Any, ids: Sequence[int]) -> NDArray[np.float32]:
        """Read tokens into a session; return the logits (V,) after the last."""
        array = np.asarray(ids, dtype=np.int64)
        for first in range(0, len(array), _CHUNK):
            logits: NDArray[np.float32] = session.read(array[first : first + _CHUNK])
        return logits

    def _checked(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        if not np.isfinite(logits).all():
            raise ModelError(
                "The model's logits are not finite, so that no token can be drawn: its weights are "
                "beyond what fp32 computes. Take another release."
            )
        return logits

    def _take(self, draft: Draft, token: int) -> None:
        if token in self._ends:
            draft.end("stop")
            return
        data = b"" if token in self._control else self.tokenizer.token_bytes(token)
        draft.write(token, data)


if __name__ == "__main__":
    import sys
    from pathlib import Path

    from hanlin.generation.native.model import load_native
    from hanlin.tokenizers import load_tokenizer

    if len(sys.argv) != 3:
        sys.exit("python -m hanlin.generation.native.engine FOLDER PROMPT")
    place = Path(sys.argv[1])
    engine = NativeEngine(load_native(place), load_tokenizer(place))
    for piece_of_text in engine.stream(sys.argv[2], SamplingConfig()):
        print(piece_of_text, end="", flush=True)
    print()
