"""One interface to every model that gives tokens a probability, so that each measure fits all.

A scorer is asked with documents of token ids, without <|endoftext|> before them; every document
is scored as if <|endoftext|> preceded it.

    python -m hanlin.evaluation.scorers

Shapes: N rows, B batch, T time, C channels, V vocab.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from hanlin.evaluation.prefixes import read_prefix, repeat_prefix, shared_prefix
from hanlin.evaluation.windows import Window, cut_windows
from hanlin.models import Decoder, KVCache
from hanlin.models.ngram import InterpolatedNgram

__all__ = ["DecoderScorer", "MixtureScorer", "NgramScorer", "Scorer", "Tail", "UniformScorer"]

Ids = NDArray[np.integer]
Floats = NDArray[np.float64]

_HEAD_LOGITS = 2**25  # logits held at once: 128 MB


class Tail(NamedTuple):
    """What a model makes of the last tokens of a document."""

    logprobs: Floats
    """ln p of each, (T,)."""
    likeliest: NDArray[np.bool_]
    """Whether each is the token that the model finds the likeliest, (T,)."""


class Scorer(Protocol):
    """A model that gives each token of a document its probability."""

    @property
    def vocab_size(self) -> int:
        """Tokens over which each distribution sums to one."""

    def score(self, documents: Sequence[Ids]) -> list[Floats]:
        """Return for each document ln p of each of its tokens given those before it, (T,)."""

    def distributions(self, document: Ids, positions: Sequence[int]) -> Floats:
        """Return the distribution that predicted the token at each of `positions`, (N, V)."""


class UniformScorer:
    """The baseline that knows nothing: every token of the vocabulary is equally likely."""

    def __init__(self, vocab_size: int) -> None:
        """Spread the probability over `vocab_size` tokens."""
        self.vocab_size = vocab_size

    def score(self, documents: Sequence[Ids]) -> list[Floats]:
        """Return -ln V for every token."""
        return [np.full(len(document), -math.log(self.vocab_size)) for document in documents]

    def distributions(self, document: Ids, positions: Sequence[int]) -> Floats:
        """Return 1 / V everywhere, (N, V)."""
        return np.full((len(positions), self.vocab_size), 1 / self.vocab_size)


class NgramScorer:
    """An n-gram model as a scorer."""

    def __init__(self, model: InterpolatedNgram) -> None:
        """Score with `model`."""
        self.model = model
        self.vocab_size = model.vocab_size

    def score(self, documents: Sequence[Ids]) -> list[Floats]:
        """Return ln p of each token."""
        return self.model.score(documents)

    def distributions(self, document: Ids, positions: Sequence[int]) -> Floats:
        """Return the distributions at `positions`, (N, V)."""
        rows = [self.model.next_distribution(document[:position]) for position in positions]
        return np.stack(rows) if rows else np.empty((0, self.vocab_size))


class MixtureScorer:
    """Two scorers in one: p = weight * first + (1 - weight) * second."""

    def __init__(self, first: Scorer, second: Scorer, weight: float) -> None:
        """Mix two scorers over the same tokens; `fit_weight` finds a good weight."""
        self.first, self.second, self.weight = first, second, weight
        self.vocab_size = first.vocab_size

    @classmethod
    def fit_weight(
        cls, first: Scorer, second: Scorer, documents: Sequence[Ids], *, rounds: int = 50
    ) -> float:
        """Return the weight of `first` that makes held-out documents likeliest.

        Expectation maximisation: the new weight is the mean share that `first` had in each token.
        """
        gains = np.concatenate(second.score(documents)) - np.concatenate(first.score(documents))
        ratios = np.exp(np.clip(gains, -700, 700))
        weight = 0.5
        for _ in range(rounds):
            weight = float(np.mean(weight / (weight + (1 - weight) * ratios)))
        return weight

    def score(self, documents: Sequence[Ids]) -> list[Floats]:
        """Return ln of the mixed probabilities."""
        pairs = zip(self.first.score(documents), self.second.score(documents), strict=True)
        with np.errstate(divide="ignore"):
            shares = np.log([self.weight, 1 - self.weight])
        return [np.logaddexp(one + shares[0], two + shares[1]) for one, two in pairs]

    def distributions(self, document: Ids, positions: Sequence[int]) -> Floats:
        """Return the mixed distributions at `positions`, (N, V)."""
        first = self.first.distributions(document, positions)
        return self.weight * first + (1 - self.weight) * self.second.distributions(
            document, positions
        )


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


if __name__ == "__main__":
    print(UniformScorer(4).score([np.array([1, 2, 3])]))
