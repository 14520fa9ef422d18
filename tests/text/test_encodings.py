"""Encodings are found by their bytes alone, and bytes that are no text are refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.errors import DataError
from hanlin.text.encodings import decode_bytes, find_encoding

SIMPLIFIED = "话说天下大势，分久必合，合久必分。周末七国分争，并入于秦。他们说：“这是我的书。”\n"
TRADITIONAL = "話說天下大勢，分久必合，合久必分。周末七國分爭，並入於秦。他們說：「這是我的書。」\n"
FRENCH = "Le café était fermé, et le garçon s’en alla à pied vers la forêt, très déçu.\n"


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "gbk", "gb2312"],
)
def test_simplified_chinese_is_read_in_each_encoding(encoding: str) -> None:
    assert decode_bytes(SIMPLIFIED.encode(encoding), "a.txt")[0] == SIMPLIFIED


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "gb18030", "big5"])
def test_traditional_chinese_is_read_in_each_encoding(encoding: str) -> None:
    assert decode_bytes(TRADITIONAL.encode(encoding), "a.txt")[0] == TRADITIONAL


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_english_is_read_in_each_encoding(encoding: str) -> None:
    text = "It was the best of times.\n"
    assert decode_bytes(text.encode(encoding), "a.txt")[0] == text


@settings(deadline=None)
@given(
    st.integers(0, len(SIMPLIFIED) - 12),
    st.integers(12, 40),
    st.sampled_from(["gb18030", "utf-8", "utf-16"]),
)
def test_a_dozen_characters_are_enough(start: int, length: int, encoding: str) -> None:
    text = SIMPLIFIED[start : start + length]
    assert decode_bytes(text.encode(encoding), "a.txt")[0] == text


def test_accented_western_text_is_windows_1252_as_the_last_resort() -> None:
    assert decode_bytes(FRENCH.encode("cp1252"), "a.txt") == (FRENCH, "cp1252")


def test_mixed_english_and_gb18030_is_not_taken_for_western() -> None:
    text = "The word 文章 means an article; 他们 means they, 我们 means we.\n"
    assert decode_bytes(text.encode("gb18030"), "a.txt") == (text, "gb18030")


def test_a_character_cut_at_the_end_of_a_sample_is_no_error() -> None:
    assert find_encoding(SIMPLIFIED.encode()[:-2], "a.txt", whole=False) == "utf-8"


def test_one_damaged_byte_in_utf8_is_named_with_its_offset() -> None:
    data = bytearray(SIMPLIFIED.encode() * 3)
    data[31] = 0xFF
    with pytest.raises(DataError, match=r"a\.txt cannot be decoded: byte 0x\w\w at offset 3\d "):
        decode_bytes(bytes(data), "a.txt")


def test_random_bytes_are_no_text() -> None:
    with pytest.raises(DataError, match="cannot be decoded"):
        decode_bytes(bytes(range(128, 256)) * 3, "noise.txt")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff", "a PNG picture"),
        (b"PK\x03\x04\x14\0\x06\0\xff", "a ZIP archive"),
        (bytes(range(256)), "zero bytes"),
    ],
)
def test_binary_data_is_named_for_what_it_is(data: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        decode_bytes(data, "photo.txt")
