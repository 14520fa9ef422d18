from __future__ import annotations

import json
from pathlib import Path

import pytest

from hanlin.errors import TokenizerError
from hanlin.tokenizers import KerasTokenizer
from hanlin.tokenizers.keras import KEEP_MARKERS, text_to_words

# Written out by hand after the format of Keras 2: tables are JSON inside JSON.
KERAS_JSON = (
    '{"class_name": "Tokenizer", "config": {"num_words": 10, '
    '"filters": "!\\"#$%&()*+,-./:;<=>?@[\\\\]^_`{|}~\\t\\n", "lower": true, "split": " ", '
    '"char_level": false, "oov_token": null, "document_count": 2, '
    '"word_counts": "{\\"the\\": 2, \\"cat\\": 1, \\"\\\\u732b\\": 1}", '
    '"word_docs": "{\\"the\\": 2, \\"cat\\": 1, \\"\\\\u732b\\": 1}", '
    '"index_docs": "{\\"1\\": 2, \\"2\\": 1, \\"3\\": 1}", '
    '"index_word": "{\\"1\\": \\"the\\", \\"2\\": \\"cat\\", \\"3\\": \\"\\\\u732b\\"}", '
    '"word_index": "{\\"the\\": 1, \\"cat\\": 2, \\"\\\\u732b\\": 3}"}}'
)


def fitted(texts: list[str], **settings: object) -> KerasTokenizer:
    tokenizer = KerasTokenizer(**settings)
    tokenizer.fit_on_texts(texts)
    return tokenizer


def test_the_json_is_what_keras_writes() -> None:
    assert fitted(["The cat", "the 猫!"], num_words=10).to_json() == KERAS_JSON


def test_the_json_of_keras_is_read() -> None:
    tokenizer = KerasTokenizer.from_json(KERAS_JSON)
    assert tokenizer.texts_to_sequences(["The 猫, the dog"]) == [[1, 3, 1]]
    assert tokenizer.sequences_to_texts([[1, 3]]) == ["the 猫"]
    assert tokenizer.index_docs == {1: 2, 2: 1, 3: 1}
    assert tokenizer.to_json() == KERAS_JSON


def test_the_default_filters_eat_the_brackets_of_markers() -> None:
    text = "<start> I am here. <end>"
    assert text_to_words(text) == ["start", "i", "am", "here", "end"]
    assert text_to_words(text, KEEP_MARKERS) == ["<start>", "i", "am", "here", "<end>"]


def test_words_are_numbered_by_frequency_then_first_sight() -> None:
    tokenizer = fitted(["b a c", "a c d"])
    assert tokenizer.word_index == {"a": 1, "c": 2, "b": 3, "d": 4}
    assert tokenizer.word_docs == {"b": 1, "a": 2, "c": 2, "d": 1}
    assert tokenizer.document_count == 2


def test_fitting_again_counts_on() -> None:
    tokenizer = fitted(["a b"])
    tokenizer.fit_on_texts(["b b"])
    assert tokenizer.word_counts == {"a": 1, "b": 3}
    assert tokenizer.word_index == {"b": 1, "a": 2}


def test_unknown_words_are_left_out_without_an_oov_token() -> None:
    assert fitted(["a b"]).texts_to_sequences(["a z b"]) == [[1, 2]]


def test_unknown_words_get_the_first_index_with_an_oov_token() -> None:
    tokenizer = fitted(["a a b"], oov_token="<oov>")
    assert tokenizer.word_index == {"<oov>": 1, "a": 2, "b": 3}
    assert tokenizer.texts_to_sequences(["a z b"]) == [[2, 1, 3]]
    assert tokenizer.sequences_to_texts([[2, 9, 3]]) == ["a <oov> b"]


def test_num_words_keeps_one_word_less_than_it_says() -> None:
    tokenizer = fitted(["a a a b b c"], num_words=3)
    assert tokenizer.texts_to_sequences(["a b c"]) == [[1, 2]]
    assert tokenizer.sequences_to_texts([[1, 2, 3]]) == ["a b"]
    assert len(tokenizer.word_index) == 3


def test_num_words_and_an_oov_token_together() -> None:
    tokenizer = fitted(["a a a b b c"], num_words=3, oov_token="?")
    assert tokenizer.texts_to_sequences(["a b c"]) == [[2, 1, 1]]
    assert tokenizer.sequences_to_texts([[2, 3, 4]]) == ["a ? ?"]


def test_characters_as_words_are_not_filtered() -> None:
    tokenizer = fitted(["A, a"], char_level=True)
    assert tokenizer.word_index == {"a": 1, ",": 2, " ": 3}


def test_lists_are_words_already() -> None:
    tokenizer = fitted([["New York", "!"]])
    assert tokenizer.texts_to_sequences([["new york", "!"]]) == [[1, 2]]


def test_an_analyzer_segments_chinese() -> None:
    tokenizer = fitted(["我爱北京"], analyzer=lambda text: ["我", "爱", "北京"])
    assert tokenizer.word_index == {"我": 1, "爱": 2, "北京": 3}
    again = KerasTokenizer.from_json(tokenizer.to_json(), analyzer=tokenizer.analyzer)
    assert again.texts_to_sequences(["我爱北京"]) == [[1, 2, 3]]


def test_sequences_can_be_counted() -> None:
    tokenizer = KerasTokenizer()
    tokenizer.fit_on_sequences([[1, 1, 2], [2]])
    assert tokenizer.index_docs == {1: 1, 2: 2}
    assert tokenizer.document_count == 2


def test_files_come_back(tmp_path: Path) -> None:
    fitted(["我 爱 北京"]).save(tmp_path / "words.json")
    assert KerasTokenizer.load(tmp_path / "words.json").word_index == {"我": 1, "爱": 2, "北京": 3}


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"config": {"num_words": 1}})])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(TokenizerError, match="not the JSON of a Keras tokenizer"):
        KerasTokenizer.from_json(text)
