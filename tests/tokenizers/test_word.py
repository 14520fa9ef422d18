from __future__ import annotations

import json
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings

from hanlin.errors import TokenizerError
from hanlin.tokenizers import (
    KerasTokenizer,
    Tokenizer,
    WordTokenizer,
    load_tokenizer,
    train_tokenizer,
)
from hanlin.tokenizers.word import UNKNOWN, join_words, segment

from .conftest import tricky_text


def test_words_come_back_in_lower_case_with_spaces_only_in_english(word: Tokenizer) -> None:
    assert word.decode(word.encode("The Little cat, a river.")) == "the little cat, a river."
    assert word.decode(word.encode("我们一起去 河边。")) == "我们一起去河边。"


def test_unknown_words_are_one_token(word: Tokenizer) -> None:
    ids = word.encode("the zebra")
    assert word.token_bytes(ids[1]) == UNKNOWN.encode()
    assert ids[1] == 86


def test_tokenizers_agrees_on_segmented_text(word: Tokenizer) -> None:
    text = "The cat 和小狗一起去 Zebra 河边。"
    same = tokenizers.Tokenizer.from_str(json.dumps(word.to_json()))
    assert same.encode(" ".join(segment(text)), add_special_tokens=False).ids == word.encode(text)


@settings(deadline=None, max_examples=50)
@given(text=tricky_text)
def test_offsets_point_at_the_words(word: Tokenizer, text: str) -> None:
    ids, spans = word.encode_with_offsets(text)
    assert ids == word.encode(text)
    assert [text[start:end].lower() for start, end in spans] == segment(text)


def test_what_is_saved_loads_the_same(word: Tokenizer, tmp_path: Path) -> None:
    word.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert isinstance(loaded, WordTokenizer)
    assert loaded.fingerprint == word.fingerprint
    assert loaded.kind == "word"


def test_keras_words_can_be_taken_over_and_given_back() -> None:
    keras = KerasTokenizer(num_words=4, oov_token="<oov>")
    keras.fit_on_texts(["the cat the dog the cat", "bird"])
    word = WordTokenizer.from_keras(keras)
    assert word.words == ("the", "cat")
    back = word.to_keras()
    assert back.texts_to_sequences(["the cat flew"]) == keras.texts_to_sequences(["the cat flew"])
    assert [id - 85 for id in word.encode("the cat flew")] == [2, 3, 1]


def test_a_vocabulary_larger_than_the_text_supports_is_refused() -> None:
    with pytest.raises(TokenizerError, match="2 distinct words, which make 89 entries"):
        train_tokenizer("word", ["cat dog cat"], 100)


def test_a_vocabulary_without_words_is_refused() -> None:
    with pytest.raises(TokenizerError, match="fill 87 already"):
        train_tokenizer("word", ["cat dog cat"], 87)


def test_marks_and_chinese_stand_without_spaces() -> None:
    assert (
        join_words(["he", "said", ":", "yes", "。", "好", "new", "york"])
        == "he said: yes。好new york"
    )
