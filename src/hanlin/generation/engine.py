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

from hanlin.config import BatchingConfig, SamplingConfig, SearchConfig
from hanlin.errors import UserError
from hanlin.generation.best import best_of
from hanlin.generation.draft import Completion, Draft, TokenLogprob
from hanlin.generation.guidance import Guidance
from hanlin.generation.logprobs import note_logprobs
from hanlin.generation.paged_texts import PagedTexts
from hanlin.generation.prompts import Prompt, begin_draft, check_scorable, check_tokenizer
from hanlin.generation.rules import Steering
from hanlin.generation.sampling import draw, uniforms
from hanlin.generation.scoring import score_tokens
from hanlin.generation.search import search
from hanlin.generation.soundness import require_finite
from hanlin.generation.speculative import Speculation, write_speculatively
from hanlin.generation.vocabulary import Vocabulary
from hanlin.models import Decoder, KVCache

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer

__all__ = ["Engine", "Prompt"]

_SPARSE = 0.75
"""The share of rows still being written below which the others are taken out of the batch."""

_ROWS = 256
"""Positions whose logits are held at once."""


class Engine:
    """Continues and scores texts with one model."""

    def __init__(self, model: Decoder, tokenizer: Tokenizer) -> None:
        """Join a model, which is put into `eval` mode, and its tokenizer.

        Raises:
            TokenizerError: if the tokenizer has more entries than the model has rows.
        """
        check_tokenizer(tokenizer, model.config)
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.vocabulary = Vocabulary(tokenizer)

    def ending_at(self, *names: str) -> Engine:
        """Return the same engine, whose texts end at further control tokens too."""
        other = copy(self)
        other.vocabulary = self.vocabulary.ending_at(*names)
        return other

    def generate(
        self, prompt: Prompt, sampling: SamplingConfig, speculation: Speculation | None = None
    ) -> Completion:
        """Return a continuation of a text or of token ids; an empty one begins a new document.

        With a `speculation`, proposed tokens are judged several at once; it counts them.

        Raises:
            UserError: if the prompt leaves no room in the model's context, or a rule of drawing
                cannot be followed.
        """
        if speculation is None:
            return self.generate_batch([prompt], sampling)[0]
        for _ in self._pieces(draft := self.begin(prompt, sampling), sampling, speculation):
            pass
        return draft.complete()

    def samples(self, prompt: Prompt, sampling: SamplingConfig, count: int) -> list[Completion]:
        """Return several continuations of one prompt, drawn with seeds in a row."""
        return self.generate_batch([prompt] * count, sampling)

    def generate_batch(
        self, prompts: Sequence[Prompt], sampling: SamplingConfig
    ) -> list[Completion]:
        """Return a continuation of each prompt, all written at once; row i draws with seed + i.

        With `best_of` n, rows n*i to n*i + n - 1 are drawn for prompt i and the likeliest stays.

        Raises:
            UserError: if a prompt leaves no room in the model's context, or a rule of drawing
                cannot be followed.
        """
        if sampling.best_of > 1:
            return best_of(self.generate_batch, prompts, sampling)
        drafts = [self.begin(prompt, sampling) for prompt in prompts]
        if drafts:
            for _ in self._write(drafts, sampling):
                pass
        return [draft.complete() for draft in drafts]

    def stream(
        self, prompt: Prompt, sampling: SamplingConfig, speculation: Speculation | None = None
    ) -> Iterator[str]:
        """Yield a continuation as it is written, in pieces of whole characters.

        Raises:
            UserError: as for `generate`, and if the best of several texts is wanted, which is
                known only in the end.
        """
        if sampling.best_of > 1:
            raise UserError(
                "best_of is above 1, and the best text is known only when all are "
                "written. Generate it without streaming, or leave best_of out."
            )
        return self._pieces(self.begin(prompt, sampling), sampling, speculation)

    def _pieces(
        self, draft: Draft, sampling: SamplingConfig, speculation: Speculation | None
    ) -> Iterator[str]:
        sent = 0
        if speculation is None:
            steps = self._write([draft], sampling)
        else:
            chance = uniforms(1, draft.limit, sampling.seed)[0]
            steps = write_speculatively(self, draft, sampling, speculation, chance)
        for _ in steps:
            yield from draft.pieces[sent:]
            sent = len(draft.pieces)

    def search(self, prompt: Prompt, config: SearchConfig) -> list[Completion]:
        """Return the best continuations that a search finds, the best first, with their scores."""
        return search(self, prompt, config)

    def logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Return the log-probability (nats) of each token after the first, given all before it.

        Raises:
            UserError: if the tokens do not fit the model's context or its vocabulary.
        """
        check_scorable(token_ids, self.model.config)
        if len(token_ids) < 2:
            return []
        return score_tokens(self.model, self._tensor([list(token_ids)]))

    @torch.inference_mode()
    def prompt_logits(self, token_ids: Sequence[int]) -> Iterator[Tensor]:
        """Yield the logits (T, V) after each token but the last, some at once.

        Raises:
            UserError: if the tokens do not fit the model's context or its vocabulary.
        """
        check_scorable(token_ids, self.model.config)
        if len(token_ids) < 2:
            return
        hidden = self.model.hidden(self._tensor([list(token_ids[:-1])]))[0]  # (T - 1, C)
        for rows in torch.split(hidden, _ROWS):
            yield self.model.head(rows)

    @torch.inference_mode()
    def next_logprobs(
        self, prompts: Sequence[Sequence[int]], token_ids: Sequence[int]
    ) -> list[list[float]]:
        """Return after each prompt the log-probability (nats) of each of some tokens coming next.

        Raises:
            UserError: if a prompt does not fit the model's context or its vocabulary.
        """
        if not prompts:
            return []
        for prompt in prompts:
            check_scorable([*prompt, *token_ids[:1]], self.model.config)
        cache, ids = self._padded([list(prompt) for prompt in prompts], spare=0)
        logits = self.model.head(self.model.hidden(ids, cache=cache)[:, -1]).float()  # (B, V)
        found: list[list[float]] = logits.log_softmax(-1)[:, list(token_ids)].tolist()
        return found

    @torch.inference_mode()
    def states(self, token_ids: Sequence[int]) -> Tensor:
        """Return the states (T, C) that the head reads after each token.

        Raises:
            ModelError: if the tokens do not fit the model's context.
        """
        return self.model.hidden(self._tensor([list(token_ids)]))[0]

    def begin(self, prompt: Prompt, sampling: SamplingConfig) -> Draft:
        """Return an empty draft after a prompt, checked as for `generate`."""
        return begin_draft(prompt, sampling, self.tokenizer, self.model.config)

    def texts(self, config: BatchingConfig) -> PagedTexts:
        """Return an empty batch for a scheduler, whose memory is taken."""
        return PagedTexts(self, config)

    @torch.inference_mode()
    def _write(self, drafts: list[Draft], sampling: SamplingConfig) -> Iterator[None]:
        """Write all drafts to their ends, a token each a step; yield after each step."""
        cache, ids = self._prepare(drafts)
        steps = max(draft.limit for draft in drafts)
        chance = uniforms(len(drafts), steps, sampling.seed).to(ids.device)  # (B, steps)
        steering = Steering(sampling, self.vocabulary, drafts)
        guidance = (
            Guidance(self.model, self.vocabulary, sampling, drafts)
            if sampling.guidance != 1
            else None
        )
        for step in range(chance.shape[1]):
            hidden = self.model.hidden(ids, cache=cache)[:, -1]  # (B, C)
            if len(hidden) < len(drafts):
                hidden = _repeat(hidden, cache, len(drafts))
            # Rows of the model beyond the vocabulary are padding, which is never drawn.
            logits = self.model.head(hidden)[:, : self.vocabulary.size].float()
            require_finite(logits, drafts)
            led = logits if guidance is None else guidance.guide(logits)
            ids = steering.amend(draw(steering.steer(led), sampling, chance[:, step]))
            steering.take(ids)
            if guidance is not None:
                guidance.take(ids)
            if sampling.logprobs is not None:
                notes = note_logprobs(logits, ids, sampling.logprobs, self.vocabulary)
                self._note(drafts, notes)
            for draft, token in zip(drafts, ids.tolist(), strict=True):
                self.take(draft, token)
            yield
            live = [row for row, draft in enumerate(drafts) if draft.reason is None]
            if not live:
                return
            if _is_sparse(drafts, len(live), step + 1):
                rows = torch.tensor(live, device=ids.device)
                drafts = [drafts[row] for row in live]
                ids, chance = ids[rows], chance[rows]
                for part in (cache, steering, guidance):
                    if part is not None:
                        part.keep_rows(rows)
            ids = ids[:, None]

    def _prepare(self, drafts: list[Draft]) -> tuple[KVCache, Tensor]:
        """Return an empty cache and the prompts, padded on the left to one length.

        Where all are the same there is one row, which is read once for all.
        """
        if all(draft.prompt == drafts[0].prompt for draft in drafts):
            length = len(drafts[0].prompt) + max(draft.limit for draft in drafts)
            return self.model.new_cache(1, length), self._tensor([drafts[0].prompt])
        spare = max(draft.limit for draft in drafts)
        return self._padded([draft.prompt for draft in drafts], spare)

    def _padded(self, prompts: Sequence[list[int]], spare: int) -> tuple[KVCache, Tensor]:
        """Return an empty cache with room for `spare` more tokens, and the prompts in one width."""
        width = max(map(len, prompts))
        gaps = [width - len(prompt) for prompt in prompts]
        ids = self._tensor([[0] * gap + prompt for gap, prompt in zip(gaps, prompts, strict=True)])
        padding = torch.tensor(gaps, device=ids.device) if any(gaps) else None
        return self.model.new_cache(len(prompts), width + spare, padding=padding), ids

    def take(self, draft: Draft, token: int) -> None:
        """Add a drawn token to a draft, or end it at an end token; an ended one stays as it is."""
        if draft.reason is not None:
            return
        if token in self.vocabulary.ends:
            draft.end("stop")
            return
        draft.write(token, self.vocabulary.piece(token))

    def _note(self, drafts: Sequence[Draft], notes: Sequence[TokenLogprob]) -> None:
        for draft, note in zip(drafts, notes, strict=True):
            if draft.reason is None and note.id not in self.vocabulary.ends:
                draft.logprobs.append(note)

    def _tensor(self, rows: list[list[int]]) -> Tensor:
        return torch.tensor(rows, device=self.model.embedding.weight.device)


def _repeat(hidden: Tensor, cache: KVCache, count: int) -> Tensor:
    """Make `count` rows of the one that was read, in hidden states (1, C) and in the cache."""
    cache.keep_rows(torch.zeros(count, dtype=torch.long, device=hidden.device))
    return hidden.expand(count, -1)


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
