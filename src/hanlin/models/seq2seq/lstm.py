"""The LSTM encoder-decoder, with or without attention.

The encoder's last state (h, c) is the decoder's first (Sutskever et al. 2014, arXiv 1409.3215).
With attention (Luong et al. 2015, arXiv 1508.04025, "general" score, without input feeding, so that
all words of a target are taken at once under teacher forcing), for the decoder's output h_t and the
encoder's states m_s:

    a_s = softmax_s(h_t W m_s)      o_t = tanh(U [sum_s a_s m_s; h_t])

The encoder stops at each row's own last word: (h, c) has never seen padding, nor has a_s.

Shapes: B batch, S source length, T target length, C channels, L layers.

    python -m hanlin.models.seq2seq.lstm
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from hanlin.config import Seq2SeqConfig
from hanlin.errors import ModelError
from hanlin.models.seq2seq.base import (
    LstmState,
    Memory,
    Seq2SeqDecoder,
    Seq2SeqEncoder,
    visible_words,
)

__all__ = ["LstmDecoder", "LstmEncoder"]


class LstmEncoder(Seq2SeqEncoder):
    """An LSTM over the source."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        """Lay out the layers; weights are not set."""
        super().__init__(config)
        self.lstm = _lstm(config)

    def forward(self, source: Tensor) -> Memory:
        """Return what the decoder needs of `source` (B, S)."""
        visible = visible_words(source, self.config)
        packed = pack_padded_sequence(
            self.embed(source), visible.sum(1).cpu(), batch_first=True, enforce_sorted=False
        )
        outputs, (h, c) = self.lstm(packed)
        states, _ = pad_packed_sequence(outputs, batch_first=True, total_length=source.shape[1])
        return Memory(states, visible, LstmState(h, c))


class LstmDecoder(Seq2SeqDecoder[LstmState]):
    """An LSTM over the target, which may look back at the source."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        """Lay out the layers; weights are not set."""
        super().__init__(config)
        self.lstm = _lstm(config)
        self.attention = LuongAttention(config.hidden_size) if config.attention else None

    def hidden(self, target: Tensor, memory: Memory) -> Tensor:
        """Return states (B, T, C) ready for the head."""
        return self._run(target, self.begin(memory, target.shape[1]), memory)[0]

    def begin(self, memory: Memory, length: int) -> LstmState:
        """Return the encoder's last state; an LSTM's is as large for any `length`."""
        if memory.final is None:
            raise ModelError(
                "The memory holds no last state (h, c): it is a Transformer's. Give the LSTM "
                "decoder the memory of its own encoder."
            )
        return memory.final

    def step(self, ids: Tensor, state: LstmState, memory: Memory) -> tuple[Tensor, LstmState]:
        """Read one word a row; return the logits of the next and the state after it."""
        hidden, state = self._run(ids[:, None], state, memory)
        return self.head(hidden[:, 0]), state

    def select(self, state: LstmState, rows: Tensor) -> LstmState:
        """Return the state of the rows whose numbers are given."""
        return LstmState(state.h.index_select(1, rows), state.c.index_select(1, rows))

    def _run(self, target: Tensor, state: LstmState, memory: Memory) -> tuple[Tensor, LstmState]:
        outputs, (h, c) = self.lstm(self.embed(target), (state.h, state.c))
        if self.attention is not None:
            outputs = self.attention(outputs, memory)
        return F.dropout(outputs, self.config.dropout, self.training), LstmState(h, c)


class LuongAttention(nn.Module):
    """The decoder's outputs beside what they find in the source."""

    def __init__(self, width: int) -> None:
        """Lay out W (`score`) and U (`output`)."""
        super().__init__()
        self.score = nn.Linear(width, width, bias=False)
        self.output = nn.Linear(2 * width, width, bias=False)

    def forward(self, outputs: Tensor, memory: Memory) -> Tensor:
        """Return o_t (B, T, C) for the decoder's outputs (B, T, C)."""
        scores = torch.bmm(self.score(outputs), memory.states.transpose(1, 2))  # (B, T, S)
        scores = scores.masked_fill(~memory.visible[:, None, :], float("-inf"))
        found = torch.bmm(scores.softmax(-1), memory.states)  # (B, T, C)
        return torch.tanh(self.output(torch.cat((found, outputs), dim=-1)))


def _lstm(config: Seq2SeqConfig) -> nn.LSTM:
    between = config.dropout if config.num_layers > 1 else 0.0  # torch warns where there is none
    return nn.LSTM(
        config.hidden_size,
        config.hidden_size,
        config.num_layers,
        batch_first=True,
        dropout=between,
    )


if __name__ == "__main__":
    shape = Seq2SeqConfig(
        kind="lstm", source_vocab_size=9, target_vocab_size=9, start_id=1, end_id=2
    )
    memory = LstmEncoder(shape)(torch.tensor([[3, 4, 5], [6, 7, 0]]))
    print(memory.states.shape, memory.states[1, 2].abs().sum().item())
