"""Text to token ids and back: byte-level BPE, characters, words, and tokenizers of others.

>>> from hanlin.tokenizers import train_tokenizer
>>> tokenizer = train_tokenizer("char", ["从前有一只小猫。"], 350)
>>> tokenizer.decode(tokenizer.encode("小猫🐱"))
'小猫🐱'
"""

from __future__ import annotations

from hanlin.tokenizers.base import Ids, Span, Tokenizer
from hanlin.tokenizers.borders import mark_borders
from hanlin.tokenizers.bpe import BpeTokenizer
from hanlin.tokenizers.char import CharTokenizer
from hanlin.tokenizers.chat import apply_chat_template, render_chat
from hanlin.tokenizers.control import (
    CHAT_TEMPLATE,
    CONTROL_IDS,
    CONTROL_TOKENS,
    END_OF_TEXT,
    END_OF_TURN,
    NUM_CONTROL,
)
from hanlin.tokenizers.foreign import ForeignTokenizer
from hanlin.tokenizers.keras import KerasTokenizer
from hanlin.tokenizers.loading import load_tokenizer, train_tokenizer
from hanlin.tokenizers.statistics import TokenStatistics, measure_tokenizer
from hanlin.tokenizers.word import WordTokenizer

__all__ = [
    "CHAT_TEMPLATE",
    "CONTROL_IDS",
    "CONTROL_TOKENS",
    "END_OF_TEXT",
    "END_OF_TURN",
    "NUM_CONTROL",
    "BpeTokenizer",
    "CharTokenizer",
    "ForeignTokenizer",
    "Ids",
    "KerasTokenizer",
    "Span",
    "TokenStatistics",
    "Tokenizer",
    "WordTokenizer",
    "apply_chat_template",
    "load_tokenizer",
    "mark_borders",
    "measure_tokenizer",
    "render_chat",
    "train_tokenizer",
]
