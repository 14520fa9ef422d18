"""Attacks on the text of training examples, made fresh against the current model.

Of some examples in each batch, the text that is given is rewritten within a budget. Where to
change it is led by the gradient of the loss at the embeddings; of several rewritings the one on
which the model does worst is learnt instead of the example. All examples are packed anew, since a
rewritten one may be longer; one that no row holds stays as it was.

    rewriter = Rewriter(Answers(eot_id=tokenizer.eot_id), tokenizer, config)
    rows = rewriter.rewrite(rows, model, generator)

B batch, T time, C channels.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hanlin.attacks import embedding_of, moved, rewrite_text, share_out
from hanlin.config import AdversarialConfig
from hanlin.data import PADDING, READ, pack_best_fit
from hanlin.objectives.base import Attackable
from hanlin.tokenizers import Tokenizer

__all__ = ["Rewriter"]

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Run:
    """A stretch of text that an example gives to read: tokens [start, end) of it."""

    start: int
    end: int


class Rewriter:
    """Rewrites examples that are packed in rows (`hanlin.data.examples`)."""

    def __init__(
        self, objective: Attackable[Any], tokenizer: Tokenizer, config: AdversarialConfig
    ) -> None:
        """Attack the loss of `objective` with the families that `config` names."""
        self._objective, self._tokenizer, self._config = objective, tokenizer, config
        self._control = np.array(sorted(set(tokenizer.control.values())), dtype=np.int64)

    def rewrite(self, batch: Tensor, model: nn.Module, generator: torch.Generator) -> Tensor:
        """Return rows (B', T + 1) of the same examples, a share of them rewritten."""
        rows = batch.long().cpu().numpy()
        whole, examples = self._take_apart(rows)
        drawn = torch.rand(len(examples) + 1, generator=generator, device=generator.device).tolist()
        rng = random.Random(drawn[-1])
        chosen = [n for n in range(len(examples)) if drawn[n] < self._config.share]
        for number, example in self._attack(examples, chosen, rows.shape[1], model, rng).items():
            examples[number] = example
        return torch.from_numpy(np.stack([*whole, *self._pack(examples, rows.shape[1])])).to(
            batch.device
        )

    def _take_apart(self, rows: Numbers) -> tuple[list[Numbers], list[Numbers]]:
        """Return the rows of plain text as they are, and the examples in the others."""
        begin = READ - self._tokenizer.eot_id
        whole, examples = [], []
        for row in rows:
            starts = np.flatnonzero(row == begin)
            if not len(starts):
                whole.append(row)
                continue
            filled = row[row != PADDING]
            examples += np.split(filled, starts[1:])
        return whole, examples

    def _pack(self, examples: Sequence[Numbers], length: int) -> Iterator[Numbers]:
        """Yield rows that hold all examples, those with a label of a head among themselves."""
        beyond = READ - self._tokenizer.vocab_size
        labelled = [bool((example <= beyond).any()) for example in examples]
        for kind in (False, True):
            group = [one for one, has in zip(examples, labelled, strict=True) if has == kind]
            for numbers in pack_best_fit([len(example) for example in group], length):
                yield _padded(np.concatenate([group[n] for n in numbers]), length)

    def _attack(
        self,
        examples: Sequence[Numbers],
        chosen: Sequence[int],
        limit: int,
        model: nn.Module,
        rng: random.Random,
    ) -> dict[int, Numbers]:
        """Return the rewritten examples by number."""
        if not chosen:
            return {}
        blind = self._config.tries == 1
        with _evaluating(model):
            slopes = None if blind else self._slopes([examples[n] for n in chosen], model)
            tried: list[tuple[int, Numbers]] = []
            for place, number in enumerate(chosen):
                slope = None if slopes is None else slopes[place]
                for _ in range(self._config.tries):
                    written = self._rewrite_one(examples[number], slope, rng)
                    if written is not None and len(written) <= limit:
                        tried.append((number, written))
            if blind:
                return dict(tried)
            return self._worst(tried, model)

    def _worst(self, tried: Sequence[tuple[int, Numbers]], model: nn.Module) -> dict[int, Numbers]:
        """Return, of each example's rewritings, the one with the largest loss."""
        if not tried:
            return {}
        with torch.no_grad():
            prepared = self._prepare([written for _, written in tried], model)
            found = self._objective.scores(model, prepared)
        totals = [0.0] * len(tried)
        for scores in found:
            for row, loss in zip(scores.rows.tolist(), scores.losses.tolist(), strict=True):
                totals[row] += loss
        worst: dict[int, tuple[float, Numbers]] = {}
        for (number, written), loss in zip(tried, totals, strict=True):
            if number not in worst or loss > worst[number][0]:
                worst[number] = loss, written
        return {number: written for number, (_, written) in worst.items()}

    def _slopes(self, examples: Sequence[Numbers], model: nn.Module) -> list[list[float]]:
        """Return the norm of the loss's gradient at each token's embedding, example by example."""
        prepared = self._prepare(examples, model)
        width = embedding_of(model).weight.shape[1]
        passes = self._objective.movable(prepared)
        moves = [
            torch.zeros(*one.ids.shape, width, device=one.ids.device, requires_grad=True)
            for one in passes
        ]
        with torch.enable_grad(), moved(model, moves):
            loss = self._objective.loss(model, prepared)
        gradients = torch.autograd.grad(loss.sum, moves, allow_unused=True)
        norms: list[list[float]] = [[]] * len(examples)
        for one, gradient in zip(passes, gradients, strict=True):
            assert gradient is not None  # each pass bears on the loss
            for row, slopes in zip(one.rows.tolist(), gradient.norm(dim=-1).tolist(), strict=True):
                norms[row] = slopes
        return norms

    def _prepare(self, examples: Sequence[Numbers], model: nn.Module) -> Any:
        """Return examples as the objective takes them, one a row."""
        length = max(map(len, examples))
        rows = np.stack([_padded(example, length) for example in examples])
        device = next(model.parameters()).device
        batch = torch.from_numpy(rows).to(device)
        return self._objective.prepare(batch, model, torch.Generator(device), 0.0)

    def _rewrite_one(
        self, example: Numbers, slopes: Sequence[float] | None, rng: random.Random
    ) -> Numbers | None:
        """Return an example with its given text changed, or None if nothing can be."""
        parts, place, changed = [], 0, False
        for run in self._runs(example):
            ids = (READ - example[run.start : run.end]).tolist()
            slope = None if slopes is None else slopes[run.start : run.end]
            written = self._rewrite_text(ids, slope, rng)
            changed = changed or written != ids
            parts += [example[place : run.start], READ - np.array(written, dtype=np.int64)]
            place = run.end
        return np.concatenate([*parts, example[place:]]) if changed else None

    def _rewrite_text(
        self, ids: list[int], slopes: Sequence[float] | None, rng: random.Random
    ) -> list[int]:
        text = self._tokenizer.decode(ids)
        again, spans = self._tokenizer.encode_with_offsets(text)
        if again != ids:  # the run is cut within a character, or was written otherwise
            return ids
        weights = None if slopes is None else share_out(spans, slopes, len(text))
        written = rewrite_text(text, self._config.families, self._config.budget, rng, weights)
        return self._tokenizer.encode(written) if written != text else ids

    def _runs(self, example: Numbers) -> Iterator[_Run]:
        """Yield the stretches of ordinary tokens that are only read."""
        ids = READ - example
        given = (ids >= 0) & (ids < self._tokenizer.vocab_size) & ~np.isin(ids, self._control)
        borders = np.flatnonzero(np.diff(np.concatenate([[False], given, [False]]).astype(int)))
        for start, end in borders.reshape(-1, 2).tolist():
            yield _Run(start, end)


def _padded(numbers: Numbers, length: int) -> Numbers:
    return np.pad(numbers, (0, length - len(numbers)), constant_values=PADDING)


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode inside."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
