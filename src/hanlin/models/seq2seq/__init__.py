"""Sequence-to-sequence models: an encoder reads, a decoder writes word by word.

from hanlin.models.seq2seq import Translator, Vocabulary, build_seq2seq
model = build_seq2seq(config, seed=1)                  # Transformer or LSTM
translator = Translator(model.encoder, model.decoder, Vocabulary(source), Vocabulary(target))
text, state = translator.decode_sequence(input_sequence)
"""

from hanlin.models.seq2seq.base import (
    PADDING_ID,
    LstmState,
    Memory,
    Seq2SeqDecoder,
    Seq2SeqEncoder,
)
from hanlin.models.seq2seq.build import Seq2Seq, build_seq2seq
from hanlin.models.seq2seq.folder import load_decoder, load_encoder
from hanlin.models.seq2seq.search import Hypothesis, beam_search, greedy_search
from hanlin.models.seq2seq.transformer import TransformerState
from hanlin.models.seq2seq.translator import Translator
from hanlin.models.seq2seq.vocabulary import END, START, Vocabulary

__all__ = [
    "END",
    "PADDING_ID",
    "START",
    "Hypothesis",
    "LstmState",
    "Memory",
    "Seq2Seq",
    "Seq2SeqDecoder",
    "Seq2SeqEncoder",
    "TransformerState",
    "Translator",
    "Vocabulary",
    "beam_search",
    "build_seq2seq",
    "greedy_search",
    "load_decoder",
    "load_encoder",
]
