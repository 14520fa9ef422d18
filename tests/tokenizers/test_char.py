from __future__ import annotations

import json
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.errors import TokenizerError
from hanlin.tokenizers import CharTokenizer, Tokenizer, load_tokenizer, train_tokenizer

from .conftest import tricky_text


@settings(deadline=None)
@given(text=st.text(max_size=40))
def test_every_text_survives(char: Tokenizer, text: str) -> None:
    assert char.decode(char.encode(text)) == text


@settings(deadline=None)
@given(text=tricky_text)
def test_tokenizers_gives_the_same_ids_and_text(char: Tokenizer, text: str) -> None:
    same = tokenizers.Tokenizer.from_str(json.dumps(char.to_json()))
    same.encode_special_tokens = True
    ids = same.encode(text, add_special_tokens=False).ids
    assert char.encode(text) == ids
    assert same.decode(ids, skip_special_tokens=False) == text


def test_each_known_character_is_one_token_and_others_are_bytes(char: Tokenizer) -> None:
    assert len(char.encode("小猫")) == 2
    assert char.encode("龘") == [86 + byte for byte in "龘".encode()]
    assert len(char.encode("小龘猫")) == 5


def test_frequent_characters_come_first() -> None:
    tokenizer = train_tokenizer("char", ["bbb", "aac"], 344)
    assert [tokenizer.token_bytes(id) for id in (342, 343)] == [b"b", b"a"]


def test_what_is_saved_loads_the_same(char: Tokenizer, tmp_path: Path) -> None:
    char.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert isinstance(loaded, CharTokenizer)
    assert loaded.fingerprint == char.fingerprint


def test_a_vocabulary_larger_than_the_text_supports_is_refused() -> None:
    with pytest.raises(TokenizerError, match="2 distinct characters, which make 344 entries"):
        train_tokenizer("char", ["abab"], 400)


def test_a_vocabulary_smaller_than_the_bytes_is_refused() -> None:
    with pytest.raises(TokenizerError, match="need 342"):
        train_tokenizer("char", ["abab"], 341)
