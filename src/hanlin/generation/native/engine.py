"""Continue and score texts with the native core: the engine that a command waits for.

The rules are those of `hanlin.generation.engine`: how a text ends, what is refused, how it is
drawn. Sampling stays in Python; the core turns tokens into logits. Texts written together read one
token each in one pass over the weights, and each is, to the bit, the text that it is alone.

    python -m hanlin.generation.native.engine FOLDER PROMPT
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hanlin.config import BatchingConfig, SamplingConfig
from hanlin.generation.draft import Completion, Draft
from hanlin.generation.native.model import NativeModel, Portion
from hanlin.generation.native.sampling import History, draw, needs_history, uniforms
from hanlin.generation.prompts import (
    Prompt,
    begin_draft,
    check_scorable,
    check_tokenizer,
    end_tokens,
)
from hanlin.generation.soundness import not_finite

if TYPE_CHECKING:
    from hanlin.generation.native.texts import NativeTexts
    from hanlin.tokenizers import Tokenizer

__all__ = ["NativeEngine"]

_TOGETHER = 32
"""Texts that are written at once, which bounds the memory of their sessions."""
_CHUNK = 240
"""Tokens that the core reads at once, between which a signal is heard: five of its passes."""


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
        return self.generate_batch([prompt], sampling)[0]

    def generate_batch(
        self, prompts: Sequence[Prompt], sampling: SamplingConfig
    ) -> list[Completion]:
        """Return a continuation of each prompt, all written at once; row i draws with seed + i.

        Raises:
            UserError: if a prompt leaves no room in the model's context.
        """
        drafts = [self.begin(prompt, sampling) for prompt in prompts]
        for _ in self._write(drafts, sampling):
            pass
        return [draft.complete() for draft in drafts]

    def samples(self, prompt: Prompt, sampling: SamplingConfig, count: int) -> list[Completion]:
        """Return several continuations of one prompt, drawn with seeds in a row."""
        return self.generate_batch([prompt] * count, sampling)

    def texts(self, config: BatchingConfig) -> NativeTexts:
        """Return an empty batch for a scheduler."""
        from hanlin.generation.native.texts import NativeTexts

        return NativeTexts(self, config)

    def stream(self, prompt: Prompt, sampling: SamplingConfig) -> Iterator[str]:
        """Yield a continuation as it is written, in pieces of whole characters.

        Raises:
            UserError: if the prompt leaves no room in the model's context.
        """
        draft = self.begin(prompt, sampling)
        sent = 0
        for _ in self._write([draft], sampling):
            yield from draft.pieces[sent:]
            sent = len(draft.pieces)

    def logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Return the log-probability (nats) of each token after the first, given all before it.

        Raises:
            UserError: if the tokens do not fit the model's context or its vocabulary.
        """
        scores: list[float] = []
        for rows in self.prompt_logits(token_ids):
            targets = np.asarray(token_ids[len(scores) + 1 :][: len(rows)])
            logits = rows.astype(np.float64)  # (T, V)
            logits -= logits.max(-1, keepdims=True)
            norms = np.log(np.exp(logits).sum(-1))
            scores += (logits[np.arange(len(targets)), targets] - norms).tolist()
        return scores

    def prompt_logits(self, token_ids: Sequence[int]) -> Iterator[NDArray[np.float32]]:
        """Yield the logits (T, V) after each token but the last, some at once.

        Raises:
            UserError: if the tokens do not fit the model's context or its vocabulary.
            NotFiniteError: if the logits hold numbers that are none.
        """
        check_scorable(token_ids, self.model.config)
        if len(token_ids) < 2:
            return
        ids = np.asarray(token_ids[:-1], dtype=np.int64)
        session = self.model.session(len(ids))
        for first in range(0, len(ids), _CHUNK):
            logits: NDArray[np.float32] = session.read(ids[first : first + _CHUNK], all=True)
            if not np.isfinite(logits).all():
                raise not_finite(first + 1)
            yield logits

    def begin(self, prompt: Prompt, sampling: SamplingConfig) -> Draft:
        """Return an empty draft after a prompt, checked as for `generate`."""
        return begin_draft(prompt, sampling, self.tokenizer, self.model.config)

    def _write(self, drafts: Sequence[Draft], sampling: SamplingConfig) -> Iterator[None]:
        """Write all drafts to their ends, a token each a step; yield after each step.

        So many are written at once; where one ends, the next begins.
        """
        waiting = deque(enumerate(drafts))
        texts: list[_Text] = []
        while waiting or texts:
            while waiting and len(texts) < _TOGETHER:
                row, draft = waiting.popleft()
                texts.append(self._text(draft, sampling, row))
            for text, scores in zip(texts, self._advance(texts), strict=True):
                known = self.drawable(scores, text.draft, sampling)
                self.take(text.draft, text.draw(known, sampling))
            yield
            texts = [text for text in texts if text.draft.reason is None]

    def _advance(self, texts: Sequence[_Text]) -> list[NDArray[np.float32]]:
        """Return the logits after the last token of each text.

        A prompt that the text before has read as well is copied from it.
        """
        repeats = [n for n in range(1, len(texts)) if texts[n].begins_as(texts[n - 1])]
        others = [n for n in range(len(texts)) if n not in repeats]
        logits = dict(zip(others, self.read([texts[n].unread for n in others]), strict=True))
        for n in repeats:
            texts[n].session.take_over(texts[n - 1].session, len(texts[n].draft.prompt) - 1)
        again = self.read([texts[n].unread for n in repeats])
        logits.update(zip(repeats, again, strict=True))
        return [logits[n] for n in range(len(texts))]

    def _text(self, draft: Draft, sampling: SamplingConfig, row: int) -> _Text:
        session = self.model.session(len(draft.prompt) + draft.limit)
        seed = None if sampling.seed is None else sampling.seed + row
        history = None
        if needs_history(sampling):
            history = History(draft.prompt, self.tokenizer.vocab_size)
        return _Text(draft, session, iter(uniforms(seed, draft.limit).tolist()), history)

    def read(self, portions: Sequence[Portion]) -> list[NDArray[np.float32]]:
        """Let sessions read side by side; return the logits (V,) that are wanted."""
        logits: list[NDArray[np.float32]] = []
        for pieces in _pieces(portions):
            logits += self.model.read(pieces)
        return logits

    def drawable(
        self, logits: NDArray[np.float32], draft: Draft, sampling: SamplingConfig
    ) -> NDArray[np.float32]:
        """Return the logits (V,) that the next token of a draft is drawn from.

        Raises:
            NotFiniteError: they hold numbers that are none.
        """
        # Rows of the model beyond the vocabulary are padding, which is never drawn.
        known = logits[: self.tokenizer.vocab_size]
        if not np.isfinite(known).all():
            raise not_finite(len(draft.ids) + 1)
        if len(draft.ids) < sampling.min_tokens:
            known = known.copy()
            known[list(self._ends)] = -np.inf
        return known

    def take(self, draft: Draft, token: int) -> None:
        """Add a drawn token to a draft, or end it at an end token."""
        if token in self._ends:
            draft.end("stop")
            return
        data = b"" if token in self._control else self.tokenizer.token_bytes(token)
        draft.write(token, data)


@dataclass(slots=True)
class _Text:
    """One text in the writing, and what it is drawn with."""

    draft: Draft
    session: Any
    """What the core keeps of it."""
    chance: Iterator[float]
    history: History | None
    """What it has read and written, where that counts."""

    @property
    def unread(self) -> Portion:
        """What is to be read before the next token."""
        ids, prompt = self.draft.ids, self.draft.prompt
        return Portion(self.session, ids[-1:] if ids else prompt[self.session.length :])

    def begins_as(self, other: _Text) -> bool:
        """Whether nothing is read yet, and the prompt is that of another text."""
        return self.session.length == 0 and self.draft.prompt == other.draft.prompt

    def draw(self, scores: NDArray[np.float32], sampling: SamplingConfig) -> int:
        """Return the next token, drawn from logits (V,)."""
        if self.history is None:
            return draw(scores, sampling, next(self.chance))
        token = draw(self.history.penalise(scores, sampling), sampling, next(self.chance))
        self.history.add(token)
        return token


def _pieces(portions: Sequence[Portion]) -> Iterator[list[Portion]]:
    """Yield what is read at once; whose reading goes on later needs no logits yet."""
    pieces: list[Portion] = []
    room = _CHUNK
    for portion in portions:
        tokens = portion.tokens
        while len(tokens) > room:
            yield [*pieces, Portion(portion.session, tokens[:room], False)]
            tokens, pieces, room = tokens[room:], [], _CHUNK
        pieces.append(Portion(portion.session, tokens, portion.is_wanted))
        room -= len(tokens)
        if room == 0:
            yield pieces
            pieces, room = [], _CHUNK
    if pieces:
        yield pieces


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
