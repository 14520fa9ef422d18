"""One side's words: texts to ids and back, and the markers between which a target stands.

A Keras tokenizer of words or of characters serves, and so does any of Hanlin's own. What Keras
leaves to each user is settled here once: how words are joined again (Chinese without spaces), what
the markers are called, and that a target side without markers is refused.

    keras       the markers are words that were fitted: <start> and <end>, or two of one's own
    Hanlin's    the control tokens <|target|> and <|im_end|>

    python -m hanlin.models.seq2seq.vocabulary
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hanlin.errors import TokenizerError
from hanlin.models.seq2seq.base import PADDING_ID
from hanlin.records import sha256_json
from hanlin.tokenizers import END_OF_TURN, KerasTokenizer, Tokenizer, load_tokenizer
from hanlin.tokenizers.word import join_words, segment

__all__ = ["END", "START", "Vocabulary"]

START, END = "<start>", "<end>"
_KERAS_FILE = "keras_tokenizer.json"
_TARGET = "<|target|>"


class Vocabulary:
    """A tokenizer as one side of a model uses it.

    >>> tokenizer = KerasTokenizer(char_level=True)
    >>> tokenizer.fit_on_texts([["<start>", *"小猫来了", "<end>"]])
    >>> words = Vocabulary(tokenizer)
    >>> words.encode_target("来了"), words.decode([2, 3, 0])
    ([1, 4, 5, 6], '小猫')
    """

    def __init__(
        self, tokenizer: KerasTokenizer | Tokenizer, *, start: str = START, end: str = END
    ) -> None:
        """Take a fitted tokenizer; `start` and `end` name the markers of a Keras one.

        Raises:
            TokenizerError: a Keras tokenizer holds no word, or has an analyzer of its own, which no
                file could bring back.
        """
        self.tokenizer = tokenizer
        self._markers = (start, end) if isinstance(tokenizer, KerasTokenizer) else ()
        if not isinstance(tokenizer, KerasTokenizer):
            self.size = tokenizer.vocab_size
            self._start, self._end = map(tokenizer.control.get, (_TARGET, END_OF_TURN))
            return
        if not tokenizer.word_index:
            raise TokenizerError("The Keras tokenizer knows no word. Call `fit_on_texts` first.")
        if tokenizer.analyzer not in (None, segment):
            raise TokenizerError(
                "The Keras tokenizer has an analyzer of its own, which cannot be stored. Give it "
                "lists of words in place of texts, or take hanlin.tokenizers.word.segment."
            )
        most = len(tokenizer.word_index) + 1
        self.size = min(most, tokenizer.num_words or most)
        self._start, self._end = (self._known(marker) for marker in self._markers)

    @property
    def start_id(self) -> int:
        """The id of the marker before a target."""
        return self._marker(self._start, START)

    @property
    def end_id(self) -> int:
        """The id of the marker after a target."""
        return self._marker(self._end, END)

    def encode(self, text: str | list[str]) -> list[int]:
        """Return the ids of a text, or of a list of words where the tokenizer is Keras's."""
        if isinstance(self.tokenizer, KerasTokenizer):
            return self.tokenizer.texts_to_sequences([text])[0]
        return self.tokenizer.encode(text if isinstance(text, str) else " ".join(text))

    def encode_target(self, text: str | list[str]) -> list[int]:
        """Return the ids of a text between the markers."""
        return [self.start_id, *self.encode(text), self.end_id]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids, without padding and markers."""
        passed = (PADDING_ID, self._start, self._end)
        kept = [int(id) for id in ids if int(id) not in passed]
        if not isinstance(self.tokenizer, KerasTokenizer):
            return self.tokenizer.decode(kept)
        words = [self.tokenizer.index_word[id] for id in kept if id in self.tokenizer.index_word]
        return "".join(words) if self.tokenizer.char_level else join_words(words)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over everything that texts and ids depend on."""
        own = (
            self.tokenizer.get_config()
            if isinstance(self.tokenizer, KerasTokenizer)
            else self.tokenizer.to_json()
        )
        return sha256_json([own, self.describe()])

    def describe(self) -> dict[str, Any]:
        """Return what the tokenizer's own files do not say, as JSON."""
        if not isinstance(self.tokenizer, KerasTokenizer):
            return {"kind": "hanlin"}
        segmented = self.tokenizer.analyzer is segment
        return {"kind": "keras", "markers": list(self._markers), "segmented": segmented}

    def save(self, folder: Path) -> None:
        """Write the tokenizer's own files."""
        if isinstance(self.tokenizer, KerasTokenizer):
            self.tokenizer.save(folder / _KERAS_FILE)
        else:
            self.tokenizer.save(folder)

    @classmethod
    def load(cls, folder: Path, described: dict[str, Any]) -> Vocabulary:
        """Read a tokenizer's files; `described` is what `describe` gave.

        Raises:
            TokenizerError: the files are missing or damaged.
        """
        if described.get("kind") == "hanlin":
            return cls(load_tokenizer(folder))
        path = folder / _KERAS_FILE
        try:
            tokenizer = KerasTokenizer.load(
                path, analyzer=segment if described["segmented"] else None
            )
            start, end = described["markers"]
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise TokenizerError(
                f"{path} cannot be read: {error!r}. Copy the folder anew from where it came from."
            ) from error
        return cls(tokenizer, start=start, end=end)

    def _known(self, word: str) -> int | None:
        assert isinstance(self.tokenizer, KerasTokenizer)
        id = self.tokenizer.word_index.get(word)
        return id if id is not None and id < self.size else None

    def _marker(self, id: int | None, name: str) -> int:
        if id is not None:
            return id
        shown = " and ".join(self._markers) or f"{_TARGET} and {END_OF_TURN}"
        raise TokenizerError(
            f"The target's tokenizer does not know both markers, {shown}: {name} is missing. "
            "Keras's default filters eat `<` and `>`: pass filters=KEEP_MARKERS, put the markers "
            "around every target text before fit_on_texts, and leave num_words room for them."
        )


if __name__ == "__main__":
    demo = KerasTokenizer(analyzer=segment)
    demo.fit_on_texts([[START, *segment("小猫来到了公园。"), END]])
    print(demo.word_index, Vocabulary(demo).encode_target("小猫来了。"))
