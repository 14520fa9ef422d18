from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.errors import TokenizerError
from hanlin.tokenizers import BpeTokenizer, load_tokenizer, train_tokenizer
from hanlin.tokenizers import bpe as module

from .conftest import tricky_text


@settings(deadline=None)
@given(text=st.text(max_size=40))
def test_every_text_survives(bpe: BpeTokenizer, text: str) -> None:
    assert bpe.decode(bpe.encode(text)) == text


@settings(deadline=None)
@given(data=st.binary(max_size=20))
def test_every_byte_has_a_token(bpe: BpeTokenizer, data: bytes) -> None:
    assert bpe.decode_bytes([86 + byte for byte in data]) == data


def test_half_a_character_is_shown_as_a_replacement(bpe: BpeTokenizer) -> None:
    assert bpe.decode([86 + byte for byte in "中".encode()[:2]]) == "\ufffd"


def test_lone_surrogates_become_replacement_characters(bpe: BpeTokenizer) -> None:
    assert bpe.decode(bpe.encode("a\ud800b\ud83d\ude00")) == "a\ufffdb😀"


@settings(deadline=None, max_examples=100)
@given(texts=st.lists(tricky_text, max_size=8))
def test_batches_hold_what_single_texts_give(bpe: BpeTokenizer, texts: list[str]) -> None:
    batch = bpe.encode_batch(texts)
    assert [ids.tolist() for ids in batch] == [bpe.encode(text) for text in texts]
    assert all(ids.dtype == "uint32" for ids in batch)


@settings(deadline=None, max_examples=100)
@given(text=tricky_text)
def test_offsets_cover_the_text_in_order(bpe: BpeTokenizer, text: str) -> None:
    ids, spans = bpe.encode_with_offsets(text)
    assert ids == bpe.encode(text)
    covered = {place for start, end in spans for place in range(start, end)}
    assert covered == set(range(len(text)))
    assert spans == sorted(spans)


@settings(deadline=None, max_examples=200)
@given(parts=st.lists(tricky_text, min_size=3, max_size=20))
def test_long_texts_are_cut_where_it_changes_nothing(bpe: BpeTokenizer, parts: list[str]) -> None:
    text = "".join(parts)
    expected = bpe.encode(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LONG", 6)
        assert bpe.encode(text) == expected


def test_a_very_long_run_of_spaces_is_encoded(bpe: BpeTokenizer) -> None:
    text = "甲" + " " * 150_000 + "乙<|im_end|>"
    assert bpe.decode(bpe.encode(text)) == text


def test_a_vocabulary_larger_than_the_text_supports_is_refused() -> None:
    with pytest.raises(TokenizerError, match=r"after 343 entries\. Set vocab_size to 343 or less"):
        train_tokenizer("bpe", ["ab ab"], 8192)


def test_a_vocabulary_smaller_than_the_bytes_is_refused() -> None:
    with pytest.raises(TokenizerError, match="need 342"):
        train_tokenizer("bpe", ["ab ab"], 300)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(TokenizerError, match="bpe, char, word"):
        train_tokenizer("unigram", ["ab ab"], 400)


def test_ids_outside_the_vocabulary_are_refused(bpe: BpeTokenizer) -> None:
    for id in (-1, bpe.vocab_size):
        with pytest.raises(TokenizerError, match=f"token id {id} "):
            bpe.decode([id])


def test_what_is_saved_loads_the_same(bpe: BpeTokenizer, tmp_path: Path) -> None:
    bpe.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert isinstance(loaded, BpeTokenizer)
    assert loaded.merges == bpe.merges
    assert loaded.fingerprint == bpe.fingerprint
    assert loaded.chat_template == bpe.chat_template


def test_other_merges_have_another_fingerprint(bpe: BpeTokenizer) -> None:
    assert BpeTokenizer(bpe.merges[:-1]).fingerprint != bpe.fingerprint


def test_the_order_of_equal_texts_does_not_matter(texts: tuple[str, ...]) -> None:
    shuffled = list(texts)
    random.Random(1).shuffle(shuffled)
    assert (
        train_tokenizer("bpe", shuffled, 400).fingerprint
        == train_tokenizer("bpe", texts, 400).fingerprint
    )
