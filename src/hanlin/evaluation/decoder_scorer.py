"""A decoder as a scorer: how documents become batches of windows, and their states probabilities.

    scorer = DecoderScorer(model, eot_id=tokenizer.eot_id)
    scorer.score([ids])                # ln p of each token

Shapes: N rows, B batch, T time, C channels, V vocab.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hanlin.evaluation.prefixes import read_prefix, repeat_prefix, shared_prefix
from hanlin.evaluation.scorers import Floats, Ids, Tail
from hanlin.evaluation.windows import Window, cut_windows
from hanlin.models import Decoder, KVCache

__all__ = ["DecoderScorer"]

_HEAD_LOGITS = 2**25  # logits held at once: 128 MB


class DecoderScorer:
    """A decoder as a scorer: windows of similar length share a batch, padded at the right."""

    def __init__(
        self,
        model: Decoder,
        *,
        eot_id: int = 0,
        context: int | None = None,
        batch_tokens: int = 8192,
    ) -> None:
        """Score with `model`, on the device and in the precision that it has.

        Args:
            model: the decoder; dropout is off while it scores.
            eot_id: what stands before each document.
            context: tokens that a window holds at most; the model's own length by default.
            batch_tokens: tokens a batch, padding among them.
        """
        self.model = model
        self.vocab_size = model.config.vocab_size
        self.eot_id = eot_id
        self.context = min(context or model.config.context_length, model.config.context_length)
        self.batch_tokens = batch_tokens

    def score(self, documents: Sequence[Ids]) -> list[Floats]:
        """Return ln p of each token."""
        return [tail.logprobs for tail in self.tails(documents, [0] * len(documents))]

    def tails(self, documents: Sequence[Ids], starts: Sequence[int]) -> list[Tail]:
        """Return ln p of each token from a start on, and whether the model finds it likeliest.

        What all documents begin with is read once.
        """
        if not documents:
            return []
        ends = [len(d) - start for d, start in zip(documents, starts, strict=True)]
        tails = [Tail(np.empty(size), np.empty(size, dtype=bool)) for size in ends]
        shared = shared_prefix(documents, starts, self.context)
        pieces = [
            _Piece(
                index, window._replace(start=window.start or shared, first=max(window.first, start))
            )
            for index, (document, start) in enumerate(zip(documents, starts, strict=True))
            for window in cut_windows(len(document), self.context)
            if window.stop > start
        ]
        with _inference(self.model):
            prefix = read_prefix(self.model, documents[0][:shared], self.eot_id) if shared else None
            for batch in self._batches(pieces):
                scored = self._score_batch(documents, batch, prefix)
                for piece, found in zip(batch, scored, strict=True):
                    start = starts[piece.document]
                    place = slice(piece.window.first - start, piece.window.stop - start)
                    tails[piece.document].logprobs[place] = found.logprobs
                    tails[piece.document].likeliest[place] = found.likeliest
        return tails

    def distributions(self, document: Ids, positions: Sequence[int]) -> Floats:
        """Return the distributions at `positions`, (N, V)."""
        rows = np.empty((len(positions), self.vocab_size))
        wanted = np.asarray(positions)
        with _inference(self.model):
            for window in cut_windows(len(document), self.context):
                here = np.flatnonzero((wanted >= window.first) & (wanted < window.stop))
                if here.size == 0:
                    continue
                hidden = self._hidden([document], [_Piece(0, window)])
                picked = hidden[:, torch.from_numpy(wanted[here] - window.start)]  # (1, N, C)
                rows[here] = self.model.head(picked)[0].float().softmax(-1).cpu().numpy()
        return rows

    def _batches(self, pieces: Sequence[_Piece]) -> Iterator[list[_Piece]]:
        batch: list[_Piece] = []
        for piece in sorted(pieces, key=lambda piece: piece.length, reverse=True):
            if batch and batch[0].length * (len(batch) + 1) > self.batch_tokens:
                yield batch
                batch = []
            batch.append(piece)
        if batch:
            yield batch

    def _score_batch(
        self, documents: Sequence[Ids], batch: Sequence[_Piece], prefix: KVCache | None
    ) -> list[Tail]:
        hidden = self._hidden(documents, batch, prefix)  # (B, T, C)
        columns = torch.arange(hidden.shape[1], device=hidden.device)
        skipped = torch.tensor([p.window.first - p.window.start for p in batch])
        lengths = torch.tensor([piece.length for piece in batch])
        scored = (columns >= skipped.to(columns.device)[:, None]) & (
            columns < lengths.to(columns.device)[:, None]
        )  # (B, T)
        targets = [documents[p.document][p.window.first : p.window.stop] for p in batch]
        flat = torch.from_numpy(np.concatenate(targets).astype(np.int64)).to(hidden.device)
        ends = np.cumsum([len(target) for target in targets])[:-1]
        parts = (
            np.split(values.cpu().numpy(), ends) for values in self._judge(hidden[scored], flat)
        )
        return [Tail(*both) for both in zip(*parts, strict=True)]

    def _judge(self, hidden: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return ln p of each target (N,) given its state (N, C), and whether it is likeliest."""
        logprobs, likeliest = [], []
        rows = max(1, _HEAD_LOGITS // self.vocab_size)  # a few at a time
        for states, wanted in zip(
            torch.split(hidden, rows), torch.split(targets, rows), strict=True
        ):
            logits = self.model.head(states[None])[0].float()
            logprobs.append(-F.cross_entropy(logits, wanted, reduction="none"))
            likeliest.append(logits.argmax(-1) == wanted)
        return torch.cat(logprobs).double(), torch.cat(likeliest)

    def _hidden(
        self, documents: Sequence[Ids], batch: Sequence[_Piece], prefix: KVCache | None = None
    ) -> Tensor:
        """Return the states (B, T, C) that predict each window's tokens, a prefix before them."""
        ids = np.full((len(batch), max(piece.length for piece in batch)), self.eot_id)
        for row, (index, window) in zip(ids, batch, strict=True):
            # Shifted by one: what predicts a token is the token before it.
            seen = documents[index][max(0, window.start - 1) : window.stop - 1]
            row[window.stop - window.start - len(seen) : window.stop - window.start] = seen
        device = next(self.model.parameters()).device
        cache = repeat_prefix(self.model, prefix, *ids.shape) if prefix else None
        return self.model.hidden(torch.from_numpy(ids).to(device), cache=cache)


class _Piece(NamedTuple):
    document: int
    window: Window

    @property
    def length(self) -> int:
        return self.window.stop - self.window.start


@contextmanager
def _inference(model: Decoder) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)
