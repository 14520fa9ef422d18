"""What interpolated n-gram models share: scoring, distributions, sampling and storage.

Every such model has the form

    p(w | h) = own(h w) + back(h) p(w | h'),        h' = h without its first token,

with the uniform distribution over the vocabulary below the unigrams. `own` and `back` are tables;
estimators (Kneser-Ney, Dirichlet) differ only in how they fill them in from the counts. A context
that training never saw has own = 0 and back = 1. Where back(h) + sum_w own(h w) = 1 for every h,
the probabilities sum to one over the whole vocabulary, for every history.

Shapes: T tokens of a document, V vocabulary.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from hanlin.models.ngram._storage import fingerprint_tables, read_tables, write_tables
from hanlin.models.ngram.counts import (
    Ints,
    Level,
    Tokens,
    check_ids,
    count_levels,
    find_keys,
    join_documents,
)

__all__ = ["InterpolatedNgram", "LanguageModel", "Table"]

Floats = NDArray[np.float64]


class LanguageModel(Protocol):
    """A model of token ids whose distributions can be asked for one at a time."""

    @property
    def vocab_size(self) -> int:
        """Tokens over which each distribution sums to one."""

    def logprobs(self, ids: Tokens) -> Floats:
        """Return ln p of each token of a document given all before it, (T,)."""

    def next_distribution(self, history: Sequence[int] | Tokens) -> Floats:
        """Return the distribution of the token after `history`, (V,)."""


@dataclass(frozen=True, slots=True)
class Table:
    """The n-grams of one length with their weights."""

    keys: Ints
    """(N,) sorted: rank of the context in the table below, times V, plus the last token."""
    own: NDArray[np.float32]
    """(N,) what each n-gram adds to the probability of its last token."""
    back: NDArray[np.float32]
    """(contexts,) the share that each context leaves to the shorter one."""


class InterpolatedNgram(ABC):
    """An n-gram model over token ids; make one with `fit` or `load`."""

    estimator: ClassVar[str]
    """The name under which `config.json` records how the tables were estimated."""

    def __init__(
        self,
        tables: Sequence[Table],
        *,
        vocab_size: int,
        eot_id: int = 0,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Take finished tables, the unigrams' first; `settings` says how they were estimated."""
        self.tables = tuple(tables)
        self.vocab_size = vocab_size
        self.eot_id = eot_id
        self.settings: dict[str, Any] = dict(settings or {})

    @classmethod
    def fit(
        cls, documents: Iterable[Tokens], order: int, vocab_size: int, *, eot_id: int = 0
    ) -> Self:
        """Count the documents' n-grams up to `order` tokens and estimate the tables."""
        stream = join_documents(documents, vocab_size=vocab_size, eot_id=eot_id)
        levels = count_levels(stream, order, vocab_size=vocab_size, eot_id=eot_id)
        tables, settings = cls._estimate(levels, vocab_size)
        settings["training_tokens"] = int(stream.size - 1)
        return cls(tables, vocab_size=vocab_size, eot_id=eot_id, settings=settings)

    @classmethod
    @abstractmethod
    def _estimate(
        cls, levels: Iterator[Level], vocab_size: int
    ) -> tuple[list[Table], dict[str, Any]]:
        """Turn counts into tables, and say which settings were estimated on the way."""

    @property
    def order(self) -> int:
        """Tokens in the longest n-gram."""
        return len(self.tables)

    @property
    def num_ngrams(self) -> int:
        """Distinct n-grams of all lengths."""
        return sum(table.keys.size for table in self.tables)

    def logprobs(self, ids: Tokens) -> Floats:
        """Return ln p of each token given all before it, from the document's start, (T,)."""
        return self.score([ids])[0]

    def score(self, documents: Sequence[Tokens]) -> list[Floats]:
        """Return `logprobs` of several documents in one pass."""
        pieces = [np.array([self.eot_id], dtype=np.int64)]
        for document in documents:
            check_ids(document, self.vocab_size)
            pieces.extend([np.asarray(document).astype(np.int64), pieces[0]])
        scores = np.log(self._probabilities(np.concatenate(pieces)))
        ends = np.cumsum([len(document) + 1 for document in documents])
        return [scores[end - len(d) : end] for d, end in zip(documents, ends, strict=True)]

    def next_distribution(self, history: Sequence[int] | Tokens) -> Floats:
        """Return the distribution of the token after `history`, (V,); it sums to one.

        The history begins at a document's start: <|endoftext|> is put before it here.
        """
        probabilities = np.full(self.vocab_size, 1 / self.vocab_size)
        for table, context in zip(self.tables, self._contexts(history), strict=False):
            children = self._children(table, context)
            probabilities *= table.back[context]
            tokens = table.keys[children] - context * self.vocab_size
            probabilities[tokens] += table.own[children]
        return probabilities

    def generate(
        self,
        rng: np.random.Generator,
        max_tokens: int,
        prompt: Sequence[int] | Tokens = (),
    ) -> NDArray[np.int64]:
        """Walk the chain: draw up to `max_tokens` tokens after `prompt`, ending at <|endoftext|>.

        Each draw goes down the interpolation itself: the longest known context offers its own
        share, what is left falls to the shorter one. So its cost does not depend on V.
        """
        history = [int(token) for token in prompt]
        for _ in range(max_tokens):
            token = self._draw(rng, self._contexts(history))
            if token == self.eot_id:
                break
            history.append(token)
        return np.array(history[len(prompt) :], dtype=np.int64)

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the model's settings and tables."""
        return fingerprint_tables(self._config(), self._tensors())

    def save(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors`, atomically."""
        config = self._config() | {"fingerprint": self.fingerprint}
        write_tables(folder, config, self._tensors())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; raise `ModelError` where the folder holds something else."""
        config, tensors = read_tables(folder, estimator=cls.estimator)
        tables = [
            Table(*(tensors[f"{name}.{length}"] for name in ("keys", "own", "back")))
            for length in range(1, config["order"] + 1)
        ]
        return cls(
            tables,
            vocab_size=config["vocab_size"],
            eot_id=config["eot_id"],
            settings=config["settings"],
        )

    def _probabilities(self, stream: NDArray[np.int64]) -> Floats:
        """Return p of each token of a stream given those before it, (T,).

        Boundaries need no care here: an n-gram across <|endoftext|> was never counted, and as a
        context that ends in it, anything longer than <|endoftext|> alone has back = 1.
        """
        unigram = self.tables[0]
        probabilities: Floats = unigram.own[stream] + unigram.back[0] / np.float64(self.vocab_size)
        for table, ranks, contexts in self._walk(stream):
            known = contexts >= 0
            probabilities[known] *= table.back[contexts[known]]
            seen = ranks >= 0
            probabilities[seen] += table.own[ranks[seen]]
        return probabilities

    def _walk(self, stream: NDArray[np.int64]) -> Iterator[tuple[Table, Ints, Ints]]:
        """Yield table, rank of the n-gram ending at each position, rank of its context, or -1."""
        ranks = stream
        for table in self.tables[1:]:
            contexts = np.concatenate([[-1], ranks[:-1]])
            known = contexts >= 0
            ranks = np.full(stream.size, -1, dtype=np.int64)
            ranks[known] = find_keys(table.keys, contexts[known] * self.vocab_size + stream[known])
            yield table, ranks, contexts

    def _contexts(self, history: Sequence[int] | Tokens) -> list[int]:
        """Return the ranks of the known contexts of the next token, the empty one first."""
        tail = [self.eot_id, *history][-max(1, self.order - 1) :]
        stream = np.array(tail, dtype=np.int64)
        check_ids(stream, self.vocab_size)
        contexts = [0, int(stream[-1])]
        for _, ranks, _ in self._walk(stream):
            if ranks[-1] < 0:
                break
            contexts.append(int(ranks[-1]))
        return contexts[: self.order]

    def _children(self, table: Table, context: int) -> slice:
        start, stop = np.searchsorted(
            table.keys, [context * self.vocab_size, (context + 1) * self.vocab_size]
        )
        return slice(int(start), int(stop))

    def _draw(self, rng: np.random.Generator, contexts: Sequence[int]) -> int:
        for table, context in reversed(list(zip(self.tables, contexts, strict=False))):
            children = self._children(table, context)
            heights = np.cumsum(table.own[children], dtype=np.float64)
            picked = int(np.searchsorted(heights, rng.random(), side="right"))
            if picked < heights.size:
                return int(table.keys[children.start + picked] - context * self.vocab_size)
        return int(rng.integers(self.vocab_size))

    def _config(self) -> dict[str, Any]:
        # Through JSON, so that the fingerprint before saving and after loading reads the same.
        return dict(
            json.loads(
                json.dumps(
                    {
                        "model_type": "hanlin-ngram",
                        "estimator": self.estimator,
                        "order": self.order,
                        "vocab_size": self.vocab_size,
                        "eot_id": self.eot_id,
                        "settings": self.settings,
                    }
                )
            )
        )

    def _tensors(self) -> dict[str, NDArray[Any]]:
        return {
            f"{name}.{length}": getattr(table, name)
            for length, table in enumerate(self.tables, 1)
            for name in ("keys", "own", "back")
        }
