r"""The `Tokenizer` of Keras, and its JSON: word indices for texts that are split at spaces.

Files that `keras.preprocessing.text.Tokenizer.to_json` wrote are read here, and the other way
round; Keras itself is not needed. Three habits of that class deserve a warning:

- The default `filters` hold `<` and `>`: the markers `<start>` and `<end>` become `start` and
  `end`. Pass filters without the two (`KEEP_MARKERS`) where markers must live.
- Chinese has no spaces, so each sentence would be one word. Pass an `analyzer` that segments, or
  lists of words in place of texts. An analyzer gets the text as it is: neither `lower` nor
  `filters` apply, and the JSON does not hold it.
- `num_words` does not shorten `word_index`; it only leaves out words when texts are turned into
  sequences, and it keeps `num_words - 1` of them, since index 0 is reserved.

    python -m hanlin.tokenizers.keras
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hanlin.errors import TokenizerError
from hanlin.records import write_text

__all__ = ["DEFAULT_FILTERS", "KEEP_MARKERS", "KerasTokenizer", "text_to_words"]

DEFAULT_FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
"""Characters that Keras replaces by the split character; `<` and `>` are among them."""
KEEP_MARKERS = DEFAULT_FILTERS.replace("<", "").replace(">", "")
"""The same without `<` and `>`, so that `<start>` and `<end>` stay words."""

Text = str | list[str]
Analyzer = Callable[[str], list[str]]


class KerasTokenizer:
    """Word indices, 1 for the most frequent word (or for `oov_token`); 0 is never given out.

    >>> tokenizer = KerasTokenizer(filters=KEEP_MARKERS)
    >>> tokenizer.fit_on_texts(["<start> The cat sat <end>", "<start> the dog <end>"])
    >>> tokenizer.texts_to_sequences(["<start> the cat <end>"])
    [[1, 2, 4, 3]]
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = DEFAULT_FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        analyzer: Analyzer | None = None,
        document_count: int = 0,
    ) -> None:
        """Take Keras's own arguments.

        Args:
            num_words: only indices below it are used in sequences.
            filters: characters that are replaced by `split`.
            lower: whether texts become lower case.
            split: what parts the words.
            char_level: whether each character is a word; nothing is filtered then.
            oov_token: the word that stands for unknown ones; without it they are left out.
            analyzer: a function that turns a text into words, in place of filters and split.
            document_count: texts fitted so far.
        """
        self.num_words = num_words
        self.filters = filters
        self.lower = lower
        self.split = split
        self.char_level = char_level
        self.oov_token = oov_token
        self.analyzer = analyzer
        self.document_count = document_count
        self.word_counts: OrderedDict[str, int] = OrderedDict()
        self.word_docs: dict[str, int] = {}
        self.index_docs: dict[int, int] = {}
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def fit_on_texts(self, texts: Iterable[Text]) -> None:
        """Count the words of texts (or of lists of words) and number them by frequency.

        Called again, it counts on. Equally frequent words keep the order of their first sight.
        """
        for text in texts:
            self.document_count += 1
            words = self._words(text)
            for word in words:
                self.word_counts[word] = self.word_counts.get(word, 0) + 1
            for word in dict.fromkeys(words):
                self.word_docs[word] = self.word_docs.get(word, 0) + 1
        ranked = sorted(self.word_counts, key=self.word_counts.__getitem__, reverse=True)
        if self.oov_token is not None:
            ranked.insert(0, self.oov_token)
        self.word_index = {word: index for index, word in enumerate(ranked, start=1)}
        self.index_word = {index: word for word, index in self.word_index.items()}
        for word, count in self.word_docs.items():
            self.index_docs[self.word_index[word]] = count

    def fit_on_sequences(self, sequences: Sequence[Iterable[int]]) -> None:
        """Count in how many sequences each index occurs."""
        self.document_count += len(sequences)
        for sequence in sequences:
            for index in set(sequence):
                self.index_docs[index] = self.index_docs.get(index, 0) + 1

    def texts_to_sequences(self, texts: Iterable[Text]) -> list[list[int]]:
        """Return the indices of each text's words; unknown words as `oov_token`, or left out."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[Text]) -> Iterator[list[int]]:
        """Yield the indices of each text's words."""
        unknown = self._unknown_index
        for text in texts:
            found = (self.word_index.get(word) for word in self._words(text))
            known = (index if self._in_use(index) else unknown for index in found)
            yield [index for index in known if index is not None]

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """Return each sequence's words, joined by one space."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Iterable[int]]) -> Iterator[str]:
        """Yield each sequence's words, joined by one space."""
        unknown = self._unknown_index
        for sequence in sequences:
            known = (
                index if index in self.index_word and self._in_use(index) else unknown
                for index in sequence
            )
            yield " ".join(self.index_word[index] for index in known if index is not None)

    def get_config(self) -> dict[str, Any]:
        """Return the settings, and the tables each as a JSON string of its own, as Keras does."""
        return {
            "num_words": self.num_words,
            "filters": self.filters,
            "lower": self.lower,
            "split": self.split,
            "char_level": self.char_level,
            "oov_token": self.oov_token,
            "document_count": self.document_count,
            "word_counts": json.dumps(self.word_counts),
            "word_docs": json.dumps(self.word_docs),
            "index_docs": json.dumps(self.index_docs),
            "index_word": json.dumps(self.index_word),
            "word_index": json.dumps(self.word_index),
        }

    def to_json(self, **options: Any) -> str:
        """Return the JSON that Keras's `tokenizer_from_json` reads."""
        return json.dumps({"class_name": "Tokenizer", "config": self.get_config()}, **options)

    @classmethod
    def from_json(cls, text: str, *, analyzer: Analyzer | None = None) -> KerasTokenizer:
        """Rebuild a tokenizer from Keras's JSON; an analyzer has to be given anew.

        Raises:
            TokenizerError: the JSON is none, or not that of a Keras tokenizer.
        """
        try:
            config = dict(json.loads(text)["config"])
            tables = {name: json.loads(config.pop(name)) for name in _TABLES}
            tokenizer = cls(**config, analyzer=analyzer)
        except (ValueError, KeyError, TypeError) as error:
            raise TokenizerError(
                f"this is not the JSON of a Keras tokenizer ({type(error).__name__}: {error}). "
                "Give the string that `to_json()` of keras.preprocessing.text.Tokenizer returned."
            ) from error
        tokenizer.word_counts = OrderedDict(tables["word_counts"])
        tokenizer.word_docs = tables["word_docs"]
        tokenizer.word_index = tables["word_index"]
        # JSON has no whole numbers as keys.
        tokenizer.index_docs = {int(index): n for index, n in tables["index_docs"].items()}
        tokenizer.index_word = {int(index): word for index, word in tables["index_word"].items()}
        return tokenizer

    def save(self, path: Path) -> None:
        """Write the JSON to a file."""
        write_text(path, self.to_json(ensure_ascii=False))

    @classmethod
    def load(cls, path: Path, *, analyzer: Analyzer | None = None) -> KerasTokenizer:
        """Read the JSON from a file."""
        return cls.from_json(path.read_text(encoding="utf-8"), analyzer=analyzer)

    def _words(self, text: Text) -> Sequence[str]:
        if isinstance(text, list):
            return [word.lower() for word in text] if self.lower else text
        if self.char_level:
            return text.lower() if self.lower else text
        if self.analyzer is not None:
            return self.analyzer(text)
        return text_to_words(text, self.filters, self.lower, self.split)

    def _in_use(self, index: int | None) -> bool:
        return index is not None and (not self.num_words or index < self.num_words)

    @property
    def _unknown_index(self) -> int | None:
        return None if self.oov_token is None else self.word_index.get(self.oov_token)


_TABLES = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")


def text_to_words(
    text: str, filters: str = DEFAULT_FILTERS, lower: bool = True, split: str = " "
) -> list[str]:
    """Split a text as Keras's `text_to_word_sequence` does.

    >>> text_to_words("<start> Hello, World <end>")
    ['start', 'hello', 'world', 'end']
    """
    if lower:
        text = text.lower()
    text = text.translate({ord(character): split for character in filters})
    return [word for word in text.split(split) if word]


if __name__ == "__main__":
    demo = KerasTokenizer(filters=KEEP_MARKERS, oov_token="<unk>")
    demo.fit_on_texts(["<start> 我 爱 北京 <end>", "<start> 我 爱 你 <end>"])
    print(demo.word_index, demo.texts_to_sequences(["<start> 我 爱 上海 <end>"]))
