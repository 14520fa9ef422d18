"""The engine: a decoder and a tokenizer that continue texts, one or many at once.

A prompt is read in one pass (prefill) into a cache; then each step feeds one token a row. Prompts
of different lengths share a batch by padding on the left, which the decoder keeps out of sight;
rows that have ended leave the batch. Each row draws from a seed of its own, so that
`generate_batch([a, b])` with seed 5 writes what `generate(a)` with 5 and `generate(b)` with 6 do.

A text ends at the end-of-text token, at `<|im_end|>`, at a stop string, after `max_tokens`, or
where the model's context is full. Control tokens are never part of it.

    python -m hanlin.generation.engine
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hanlin.config import SamplingConfig
from hanlin.errors import TokenizerError, UserError
from hanlin.generation.draft import Completion, Draft
from hanlin.generation.sampling import TokenHistory, draw, penalise
from hanlin.generation.stream import TextStream
from hanlin.models import Decoder, KVCache

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer

__all__ = ["Engine", "Prompt"]

Prompt = str | Sequence[int]

_HEAD_CHUNK = 512
"""Positions whose logits are held at once when a text is scored."""

_SPARSE = 0.75
"""The share of rows still being written below which the others are taken out of the batch."""


class Engine:
    """Continues and scores texts with one model."""

    def __init__(self, model: Decoder, tokenizer: Tokenizer) -> None:
        """Join a model, which is put into `eval` mode, and its tokenizer.

        Raises:
            TokenizerError: if the tokenizer has more entries than the model has rows.
        """
        rows = model.config.vocab_size
        if tokenizer.vocab_size > rows:
            raise TokenizerError(
                f"The tokenizer has {tokenizer.vocab_size} entries, but the model has {rows} rows. "
                "Take the tokenizer that the model was trained with."
            )
        self.model = model.eval()
        self.tokenizer = tokenizer
        self._control = frozenset(tokenizer.control.values())
        self._ends = {tokenizer.eot_id, tokenizer.control.get("<|im_end|>", tokenizer.eot_id)}

    def ending_at(self, *names: str) -> Engine:
        """Return the same engine, whose texts end at further control tokens too."""
        other = copy(self)
        other._ends = self._ends | {
            self.tokenizer.control[name] for name in names if name in self.tokenizer.control
        }
        return other

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
        drafts = [self._begin(prompt, sampling) for prompt in prompts]
        if drafts:
            for _ in self._write(drafts, sampling):
                pass
        return [draft.complete() for draft in drafts]

    def stream(self, prompt: Prompt, sampling: SamplingConfig) -> Iterator[str]:
        """Yield a continuation as it is written, in pieces of whole characters.

        Raises:
            UserError: if the prompt leaves no room in the model's context.
        """
        draft = self._begin(prompt, sampling)
        sent = 0
        for _ in self._write([draft], sampling):
            yield from draft.pieces[sent:]
            sent = len(draft.pieces)

    @torch.inference_mode()
    def logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Return the log-probability (nats) of each token after the first, given all before it.

        Raises:
            UserError: if the tokens do not fit the model's context or its vocabulary.
        """
        self._check_ids(token_ids)
        context = self.model.config.context_length
        if len(token_ids) > context + 1:
            raise UserError(
                f"{len(token_ids)} tokens cannot be scored at once: the model's context is "
                f"{context}. Give at most {context + 1} tokens at a time."
            )
        if len(token_ids) < 2:
            return []
        ids = self._tensor([list(token_ids)])
        hidden, targets = self.model.hidden(ids[:, :-1])[0], ids[0, 1:]  # (T, C), (T,)
        scores: list[float] = []
        chunks = zip(
            torch.split(hidden, _HEAD_CHUNK), torch.split(targets, _HEAD_CHUNK), strict=True
        )
        for rows, wanted in chunks:
            logits = self.model.head(rows).float().log_softmax(-1)
            scores += logits.gather(-1, wanted[:, None])[:, 0].tolist()
        return scores

    def _begin(self, prompt: Prompt, sampling: SamplingConfig) -> Draft:
        ids = self.tokenizer.encode(prompt) if isinstance(prompt, str) else list(prompt)
        ids = ids or [self.tokenizer.eot_id]
        self._check_ids(ids)
        context = self.model.config.context_length
        if len(ids) >= context:
            raise UserError(
                f"The prompt has {len(ids)} tokens and leaves no room in the model's context of "
                f"{context}. Shorten it to at most {context - 1} tokens."
            )
        limit = min(sampling.max_tokens, context - len(ids))
        return Draft(ids, limit, TextStream(sampling.stop))

    @torch.inference_mode()
    def _write(self, drafts: list[Draft], sampling: SamplingConfig) -> Iterator[None]:
        """Write all drafts to their ends, a token each a step; yield after each step."""
        cache, ids = self._prepare(drafts)
        chance = _uniforms(drafts, sampling.seed).to(ids.device)  # (B, steps)
        history: TokenHistory | None = None
        for step in range(chance.shape[1]):
            hidden = self.model.hidden(ids, cache=cache)[:, -1]  # (B, C)
            # Rows of the model beyond the vocabulary are padding, which is never drawn.
            logits = self.model.head(hidden)[:, : self.tokenizer.vocab_size].float()
            if history is None and TokenHistory.matters(sampling):
                history = TokenHistory([draft.prompt for draft in drafts], logits)
            ids = draw(penalise(logits, sampling, history), sampling, chance[:, step])
            if history is not None:
                history.add(ids)
            for draft, token in zip(drafts, ids.tolist(), strict=True):
                self._take(draft, token)
            yield
            live = [row for row, draft in enumerate(drafts) if draft.reason is None]
            if not live:
                return
            if _is_sparse(drafts, len(live), step + 1):
                rows = torch.tensor(live, device=ids.device)
                drafts = [drafts[row] for row in live]
                ids, chance = ids[rows], chance[rows]
                cache.keep_rows(rows)
                if history is not None:
                    history.keep_rows(rows)
            ids = ids[:, None]

    def _prepare(self, drafts: list[Draft]) -> tuple[KVCache, Tensor]:
        """Return an empty cache and the prompts, padded on the left to one length."""
        width = max(len(draft.prompt) for draft in drafts)
        gaps = [width - len(draft.prompt) for draft in drafts]
        rows = [[0] * gap + draft.prompt for gap, draft in zip(gaps, drafts, strict=True)]
        ids = self._tensor(rows)
        padding = torch.tensor(gaps, device=ids.device) if any(gaps) else None
        length = width + max(draft.limit for draft in drafts)
        return self.model.new_cache(len(drafts), length, padding=padding), ids

    def _take(self, draft: Draft, token: int) -> None:
        if draft.reason is not None:
            return
        if token in self._ends:
            draft.end("stop")
            return
        data = b"" if token in self._control else self.tokenizer.token_bytes(token)
        draft.write(token, data)

    def _check_ids(self, ids: Sequence[int]) -> None:
        wrong = next(
            (token for token in ids if not 0 <= token < self.model.config.vocab_size), None
        )
        if wrong is not None:
            raise UserError(
                f"Token id {wrong} is not in the model's vocabulary of "
                f"{self.model.config.vocab_size}. Encode the text with the model's own tokenizer."
            )

    def _tensor(self, rows: list[list[int]]) -> Tensor:
        return torch.tensor(rows, device=self.model.embedding.weight.device)


def _uniforms(drafts: Sequence[Draft], seed: int | None) -> Tensor:
    """Return one uniform number for each row and step (B, steps), each row from its own seed."""
    first = torch.Generator().seed() if seed is None else seed
    steps = max(draft.limit for draft in drafts)
    rows = [
        torch.rand(steps, generator=torch.Generator().manual_seed(first + row), dtype=torch.float64)
        for row in range(len(drafts))
    ]
    return torch.stack(rows)


def _is_sparse(drafts: Sequence[Draft], num_live: int, num_steps: int) -> bool:
    """Whether ended rows should leave: when they are many, or have no context left to idle in."""
    spent = any(draft.reason is not None and draft.limit <= num_steps for draft in drafts)
    return spent or num_live < _SPARSE * len(drafts)


if __name__ == "__main__":
    import sys
    from pathlib import Path

    from hanlin.models import load_release
    from hanlin.tokenizers import load_tokenizer

    if len(sys.argv) != 3:
        sys.exit("python -m hanlin.generation.engine FOLDER PROMPT")
    place = Path(sys.argv[1])
    engine = Engine(load_release(place), load_tokenizer(place))
    for piece_of_text in engine.stream(sys.argv[2], SamplingConfig()):
        print(piece_of_text, end="", flush=True)
    print()
