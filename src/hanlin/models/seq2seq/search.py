"""From a decoder to its best sequence, word by word: greedy, or by a beam.

Greedy takes the likeliest word, gives it back to the decoder together with the state, and stops at
`<end>`. A beam keeps the K best beginnings, finished ones among them, by

    score(y) = ln p(y) / ((5 + |y|) / 6)^alpha

(Wu et al. 2016, arXiv 1609.08144; |y| counts `<end>`), and stops when all K are finished. alpha = 0
is the plain probability, which favours short sequences. One beam is greedy. Padding and `<start>`
are never written, whatever the logits say.

Any object with `config`, `begin`, `step` and `select` can be searched; the rows of a batch do not
touch one another.

Shapes: B batch, K beams, V vocabulary.

    python -m hanlin.models.seq2seq.search
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from hanlin.config import Seq2SeqConfig
from hanlin.models.seq2seq.base import PADDING_ID, Memory

__all__ = ["Hypothesis", "StepModel", "beam_search", "greedy_search", "reread"]

State = TypeVar("State")
_NEVER = float("-inf")


class StepModel(Protocol[State]):
    """What can be searched: `Seq2SeqDecoder` is one."""

    @property
    def config(self) -> Seq2SeqConfig:
        """Where the markers are read."""

    def begin(self, memory: Memory, length: int) -> State:
        """Return the state before the first word."""

    def step(self, ids: Tensor, state: State, memory: Memory) -> tuple[Tensor, State]:
        """Read one word a row (B,); return the logits (B, V) of the next and the new state."""

    def select(self, state: State, rows: Tensor) -> State:
        """Return the state of some rows."""


@dataclass(frozen=True, slots=True)
class Hypothesis(Generic[State]):
    """A sequence that was found."""

    ids: tuple[int, ...]
    """Its words, without `<start>` and `<end>`."""
    logprob: float
    """ln p of the words, and of `<end>` where it is finished."""
    finished: bool
    """Whether `<end>` came before the limit."""
    state: State | None
    """The decoder's state when the last word (or `<end>`) was chosen; a beam keeps none."""


@torch.no_grad()
def greedy_search(
    model: StepModel[State], memory: Memory, *, max_tokens: int
) -> list[Hypothesis[State]]:
    """Return the greedy sequence of each row of `memory`, in at most `max_tokens` steps."""
    config, device = model.config, memory.states.device
    state = model.begin(memory, max_tokens)
    rows = list(range(memory.states.shape[0]))  # the rows that are not finished
    words: list[list[int]] = [[] for _ in rows]
    logprobs = [0.0 for _ in rows]
    found: dict[int, Hypothesis[State]] = {}
    ids = torch.full((len(rows),), config.start_id, device=device)
    for number in range(1, max_tokens + 1):
        logits, state = model.step(ids, state, memory)
        best, ids = _allowed(logits, config).max(-1)
        live = []
        for place, (row, logprob, id) in enumerate(
            zip(rows, best.tolist(), ids.tolist(), strict=True)
        ):
            logprobs[row] += logprob
            finished = id == config.end_id
            if not finished:
                words[row].append(id)
            if not finished and number < max_tokens:
                live.append(place)
                continue
            own = model.select(state, torch.tensor([place], device=device))
            found[row] = Hypothesis(tuple(words[row]), logprobs[row], finished, own)
        if not live:
            break
        if len(live) < len(rows):
            kept = torch.tensor(live, device=device)
            state, memory, ids = model.select(state, kept), memory.select(kept), ids[kept]
            rows = [rows[place] for place in live]
    return [found[row] for row in sorted(found)]


@torch.no_grad()
def beam_search(
    model: StepModel[State],
    memory: Memory,
    *,
    beam: int,
    length_penalty: float = 0.0,
    max_tokens: int,
) -> list[Hypothesis[State]]:
    """Return the best sequence that a beam finds for each row of `memory`."""
    config, device, batch = model.config, memory.states.device, memory.states.shape[0]
    wide = memory.select(torch.arange(batch, device=device).repeat_interleave(beam))
    state = model.begin(wide, max_tokens)
    logprobs = torch.full((batch, beam), _NEVER, device=device)
    logprobs[:, 0] = 0.0  # all beams begin alike, so that only one may branch
    words = torch.full((batch, beam, 1), config.start_id, device=device)
    lengths = torch.zeros((batch, beam), dtype=torch.long, device=device)
    ended = torch.zeros((batch, beam), dtype=torch.bool, device=device)
    first = torch.arange(0, batch * beam, beam, device=device)[:, None]
    for _ in range(max_tokens):
        logits, state = model.step(words[:, :, -1].flatten(), state, wide)
        steps = _allowed(logits, config).view(batch, beam, -1)  # (B, K, V)
        totals = logprobs[:, :, None] + _freeze(steps, ended, config.end_id)
        lengths = lengths + ~ended
        ranks = totals / ((5 + lengths) / 6).pow(length_penalty)[:, :, None]
        best = ranks.flatten(1).topk(beam).indices  # (B, K)
        parents, chosen = best // steps.shape[2], best % steps.shape[2]
        state = model.select(state, (first + parents).flatten())
        logprobs = totals.flatten(1).gather(1, best)
        lengths = lengths.gather(1, parents)
        came = parents[:, :, None].expand(-1, -1, words.shape[2])
        words = torch.cat((words.gather(1, came), chosen[:, :, None]), dim=2)
        ended = chosen == config.end_id
        if bool(ended.all()):
            break
    return [
        _hypothesis(row, float(logprob), config)
        for row, logprob in zip(words[:, 0].tolist(), logprobs[:, 0], strict=True)
    ]


@torch.no_grad()
def reread(model: StepModel[State], memory: Memory, found: Hypothesis[State]) -> State:
    """Return the state in which the last word (or `<end>`) of a sequence was chosen."""
    read = [model.config.start_id, *found.ids]
    read = read if found.finished else read[:-1]
    state = model.begin(memory, len(read))
    for id in read:
        _, state = model.step(torch.tensor([id], device=memory.states.device), state, memory)
    return state


def _allowed(logits: Tensor, config: Seq2SeqConfig) -> Tensor:
    """Return log-probabilities over what may be written: neither padding nor `<start>`."""
    logits = logits.float().clone()
    logits[:, [PADDING_ID, config.start_id]] = _NEVER
    return logits.log_softmax(-1)


def _freeze(steps: Tensor, ended: Tensor, end_id: int) -> Tensor:
    """Return the steps (B, K, V), in which an ended beam only ends again, at no cost."""
    frozen = torch.full_like(steps[0, 0], _NEVER)
    frozen[end_id] = 0.0
    return torch.where(ended[:, :, None], frozen, steps)


def _hypothesis(row: list[int], logprob: float, config: Seq2SeqConfig) -> Hypothesis[State]:
    finished = config.end_id in row
    end = row.index(config.end_id) if finished else len(row)
    return Hypothesis(tuple(row[1:end]), logprob, finished, None)


if __name__ == "__main__":
    from hanlin.models.seq2seq.build import build_seq2seq

    shape = Seq2SeqConfig(source_vocab_size=9, target_vocab_size=9, start_id=1, end_id=2)
    fresh = build_seq2seq(shape, seed=1).eval()
    read = fresh.encoder(torch.tensor([[3, 4, 5], [6, 7, 0]]))
    for each in beam_search(fresh.decoder, read, beam=4, length_penalty=1.0, max_tokens=6):
        print(each.ids, round(each.logprob, 3), each.finished)
