"""Word level: segmented Chinese, lower-cased English, one token a word or mark.

Ids: 86 control tokens, `<unk>`, then words by frequency. It is a teaching and baseline tokenizer,
and not lossless: case goes, spaces go (decoding puts one back between two words that are not
Chinese), and every word outside the vocabulary becomes `<unk>`. Losses in bits per byte must
therefore never be compared with those of the other two.

`tokenizer.json` holds the vocabulary and the lower-casing, and splits at spaces; rjieba's
segmentation cannot be written in that format. So tokenizers and transformers give the same ids only
for text whose words already stand between spaces (`" ".join(segment_words(text))`).

    python -m hanlin.tokenizers.word
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from hanlin.errors import TokenizerError
from hanlin.tokenizers.base import Span, Tokenizer, well_formed
from hanlin.tokenizers.control import CONTROL_IDS, CONTROL_PATTERN, CONTROL_TOKENS, NUM_CONTROL
from hanlin.tokenizers.keras import KerasTokenizer
from hanlin.tokenizers.layout import tokenizer_json

__all__ = ["UNKNOWN", "WordTokenizer", "join_words", "segment", "train_word"]

UNKNOWN = "<unk>"
"""The word that stands for all unknown ones."""

_UNKNOWN_ID = NUM_CONTROL
_WIDE = "\u2014\u2018-\u201d\u2026\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"
# No space stands beside Chinese, before a closing mark, or after an opening one.
_NO_SPACE = re.compile(
    rf"(?<=[{_WIDE}\U00020000-\U0003ffff]) | (?=[{_WIDE}\U00020000-\U0003ffff])"
    r"| (?=[.,;:!?%)\]}])|(?<=[(\[{]) "
)


class WordTokenizer(Tokenizer):
    """One token a word; unknown words become `<unk>`."""

    kind = "word"

    def __init__(self, words: Sequence[str]) -> None:
        """Build it from distinct lower-case words, the most frequent first."""
        self.words = tuple(words)
        self._tokens = [*CONTROL_TOKENS, UNKNOWN, *self.words]
        self._id_of_word = {
            word: _UNKNOWN_ID + i for i, word in enumerate(self._tokens[_UNKNOWN_ID:])
        }
        self.vocab_size = len(self._tokens)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> WordTokenizer:
        """Rebuild it from the content of the `tokenizer.json` that `to_json` gave."""
        vocab: dict[str, int] = content["model"]["vocab"]
        return cls(sorted(vocab, key=vocab.__getitem__)[_UNKNOWN_ID + 1 :])

    @classmethod
    def from_keras(cls, tokenizer: KerasTokenizer) -> WordTokenizer:
        """Take over the words of a Keras tokenizer, `num_words` of them if that is set.

        The word of index i gets the id 86 + i (85 + i where the Keras tokenizer has an `oov_token`,
        whose place `<unk>` takes).
        """
        words = sorted(tokenizer.word_index, key=tokenizer.word_index.__getitem__)
        if tokenizer.num_words:
            words = words[: tokenizer.num_words - 1]
        return cls([word for word in words if word != tokenizer.oov_token])

    def to_keras(self) -> KerasTokenizer:
        """Return a Keras tokenizer with the same words; counts, which are not kept, are empty."""
        keras = KerasTokenizer(filters="", oov_token=UNKNOWN, analyzer=segment)
        keras.word_index = {word: i for i, word in enumerate([UNKNOWN, *self.words], start=1)}
        keras.index_word = {index: word for word, index in keras.word_index.items()}
        return keras

    def to_json(self) -> dict[str, Any]:
        """Return the content of `tokenizer.json`: the vocabulary, without the segmentation."""
        words = CONTROL_IDS | self._id_of_word
        return tokenizer_json(
            {"type": "WordLevel", "vocab": words, "unk_token": UNKNOWN},
            normalizer={"type": "Lowercase"},
            pre_tokenizer={"type": "WhitespaceSplit"},
        )

    def tokenizer_config(self) -> dict[str, Any]:
        """Return the content of `tokenizer_config.json`."""
        return super().tokenizer_config() | {"unk_token": UNKNOWN}

    def token_bytes(self, id: int) -> bytes:
        """Return the word itself; the spaces around it belong to no token."""
        self._check_id(id)
        return self._tokens[id].encode("utf-8")

    def decode_bytes(self, ids: Iterable[int], *, skip_control: bool = True) -> bytes:
        """Return the words, joined by spaces where English needs them, in UTF-8."""
        skipped = self._control_ids if skip_control else frozenset()
        words = []
        for id in map(int, ids):
            self._check_id(id)
            if id not in skipped:
                words.append(self._tokens[id])
        return join_words(words).encode("utf-8")

    def encode_with_offsets(
        self, text: str, *, allow_control: bool = False
    ) -> tuple[list[int], list[Span]]:
        """Return the ids of a text, and for each the characters [start, end) of its word."""
        text = well_formed(text)
        ids: list[int] = []
        spans: list[Span] = []
        end = 0
        for part in CONTROL_PATTERN.split(text) if allow_control else [text]:
            control = CONTROL_IDS.get(part) if allow_control else None
            for word in _words(part) if control is None else [part]:
                start = text.index(word, end)
                end = start + len(word)
                spans.append((start, end))
                ids.append(self._id_of(word) if control is None else control)
        return ids, spans

    def _encode_ordinary(self, text: str) -> list[int]:
        return [self._id_of(word) for word in _words(text)]

    def _id_of(self, word: str) -> int:
        return self._id_of_word.get(word.lower(), _UNKNOWN_ID)


def segment(text: str) -> list[str]:
    """Return a text's words and marks in lower case."""
    return [word.lower() for word in _words(text)]


def train_word(texts: Iterable[str], vocab_size: int) -> WordTokenizer:
    """Take the most frequent words of the texts; ties go to the one that was seen first.

    Raises:
        TokenizerError: the vocabulary holds no word, or is larger than the texts support.
    """
    smallest = _UNKNOWN_ID + 1
    if vocab_size <= smallest:
        raise TokenizerError(
            f"vocab_size {vocab_size} is too small for words: {NUM_CONTROL} control tokens and "
            f"{UNKNOWN} fill {smallest} already. Set vocab_size to more than that."
        )
    keras = KerasTokenizer(filters="", analyzer=segment)
    keras.fit_on_texts(well_formed(text) for text in texts)
    words = [word for word in keras.word_index if word != UNKNOWN and word not in CONTROL_IDS]
    reached = smallest + len(words)
    if reached < vocab_size:
        raise TokenizerError(
            f"vocab_size {vocab_size:,} is larger than the text supports: it has {len(words):,} "
            f"distinct words, which make {reached:,} entries with the control tokens. "
            f"Set vocab_size to {reached} or less, or give more text."
        )
    return WordTokenizer(words[: vocab_size - smallest])


def join_words(words: Iterable[str]) -> str:
    """Join words by spaces, none beside Chinese or on the inner side of a mark.

    >>> join_words(["我", "爱", "new", "york", "(", "the", "city", ")", ",", "真", "的", "。"])
    '我爱new york (the city),真的。'
    """
    return _NO_SPACE.sub("", " ".join(words))


def _words(text: str) -> list[str]:
    # Chinese segmentation loads a dictionary, which the other tokenizers do without.
    from hanlin.text.segmentation import segment_words

    return segment_words(text)


if __name__ == "__main__":
    word = train_word(["我爱北京天安门。 The cat sat, the dog ran."], 98)
    print(word.words, word.decode(word.encode("The dog sat. 我爱猫。")))
