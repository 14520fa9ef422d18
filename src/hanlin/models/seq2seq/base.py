"""What every encoder gives and every decoder takes, so that searching needs to know neither.

    memory = encoder(source)                          # source (B, S), padded with 0 on the right
    hidden = decoder.hidden(target, memory)           # teacher forcing: (B, T, C)
    state = decoder.begin(memory, length)             # or word by word:
    logits, state = decoder.step(ids, state, memory)  # ids (B,), logits (B, V)

Shapes: B batch, S source length, T target length, C channels, L layers, V target vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from torch import Tensor, nn
from torch.nn import functional as F

from hanlin.config import Seq2SeqConfig
from hanlin.errors import ModelError

__all__ = ["PADDING_ID", "LstmState", "Memory", "Seq2SeqDecoder", "Seq2SeqEncoder", "visible_words"]

PADDING_ID = 0
"""The id that fills up short rows on both sides; no tokenizer gives it to a word."""

State = TypeVar("State")


class LstmState(NamedTuple):
    """The state of an LSTM between two words."""

    h: Tensor
    """What it says, (L, B, C)."""
    c: Tensor
    """What it remembers, (L, B, C)."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the encoder made of a batch of sources."""

    states: Tensor
    """One state a source word, (B, S, C)."""
    visible: Tensor
    """True where a word stands and False at padding, (B, S)."""
    final: LstmState | None = None
    """The state after each row's own last word (LSTM)."""

    def select(self, rows: Tensor) -> Memory:
        """Return the rows whose numbers are given, in that order, repeated where they are."""
        final = self.final
        if final is not None:
            final = LstmState(final.h.index_select(1, rows), final.c.index_select(1, rows))
        return Memory(self.states.index_select(0, rows), self.visible.index_select(0, rows), final)


class Seq2SeqEncoder(nn.Module, ABC):
    """Reads a source."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        """Lay out the embedding."""
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.source_vocab_size, config.hidden_size)

    @abstractmethod
    def forward(self, source: Tensor) -> Memory:
        """Return what the decoder needs of `source` (B, S), padded with 0 on the right."""

    def embed(self, source: Tensor) -> Tensor:
        """Return the words' vectors (B, S, C)."""
        return F.dropout(self.embedding(source), self.config.dropout, self.training)


class Seq2SeqDecoder(nn.Module, ABC, Generic[State]):
    """Writes a target, a word at a time or all words at once under teacher forcing."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        """Lay out the embedding and the head."""
        super().__init__()
        self.config = config
        size, width = config.target_vocab_size, config.hidden_size
        self.embedding = nn.Embedding(size, width)
        self.unembedding = None if config.tie_embeddings else nn.Linear(width, size, bias=False)

    @abstractmethod
    def hidden(self, target: Tensor, memory: Memory) -> Tensor:
        """Return states (B, T, C) ready for the head, each word of `target` (B, T) being given."""

    @abstractmethod
    def begin(self, memory: Memory, length: int) -> State:
        """Return the state before the first word of at most `length`."""

    @abstractmethod
    def step(self, ids: Tensor, state: State, memory: Memory) -> tuple[Tensor, State]:
        """Read one word a row (B,); return the logits of the next (B, V) and the state after it.

        The state that was given must not be used again: its memory may serve the new one.
        """

    @abstractmethod
    def select(self, state: State, rows: Tensor) -> State:
        """Return the state of the rows whose numbers are given, in that order."""

    @property
    def head_matrix(self) -> Tensor:
        """The head's matrix (V, C), which may be the embedding's."""
        return (self.embedding if self.unembedding is None else self.unembedding).weight

    def head(self, hidden: Tensor) -> Tensor:
        """Return the logits (..., V) of states (..., C)."""
        return F.linear(hidden, self.head_matrix)

    def embed(self, target: Tensor) -> Tensor:
        """Return the words' vectors (B, T, C)."""
        return F.dropout(self.embedding(target), self.config.dropout, self.training)


def visible_words(source: Tensor, config: Seq2SeqConfig) -> Tensor:
    """Return where words stand in `source` (B, S).

    Raises:
        ModelError: a row is empty, too long, or padded on its left.
    """
    visible = source != PADDING_ID
    if source.shape[1] > config.context_length:
        raise ModelError(
            f"A source of {source.shape[1]} tokens does not fit the model's context_length "
            f"{config.context_length}. Give a shorter one."
        )
    if not bool(visible.any(1).all()):
        raise ModelError("A source of the batch is empty: it holds padding alone. Leave it out.")
    if bool((visible[:, 1:] & ~visible[:, :-1]).any()):
        raise ModelError(
            f"A source has padding (id {PADDING_ID}) before a word. Pad on the right: "
            "`pad_sequences(..., padding='post')` in Keras."
        )
    return visible
