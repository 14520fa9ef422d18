"""Cleaning repairs and tidies, and keeps what Chinese typography needs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.text.cleaning import clean_text, convert_script, repair_mojibake


def test_chinese_punctuation_stays_at_full_width() -> None:
    text = "“甲，乙、丙；丁：戊？”（己！）《庚》——辛……「壬」·癸。"
    assert clean_text(text) == text


def test_full_width_letters_and_digits_become_ascii() -> None:
    assert clean_text("ＧＰＴ－３ 在２０２０年，ａｂｃ") == "GPT－3 在2020年，abc"


def test_control_and_zero_width_characters_go() -> None:
    assert clean_text("中\u200b文\ufeff字\x00\x07符\u202e。") == "中文字符。"


def test_an_emoji_family_keeps_its_joiners() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert clean_text(f"全家{family}福\u200d。") == f"全家{family}福。"


def test_unicode_is_composed() -> None:
    assert clean_text("cafe\u0301") == "caf\u00e9"


def test_line_ends_spaces_and_gaps_are_tidied() -> None:
    assert clean_text("a  b\t c \r\n\r\n\r\n\r\n  d\re\u2028f\n\n") == "a b c\n\n  d\ne\nf"


def test_the_indent_of_a_chinese_paragraph_goes_and_inner_spaces_stay() -> None:
    assert clean_text("　　春眠不觉晓　处处闻啼鸟") == "春眠不觉晓 处处闻啼鸟"


@pytest.mark.parametrize("wrong", ["latin-1", "cp1252"])
def test_utf8_read_as_western_is_read_again(wrong: str) -> None:
    text = "中文 café “naïve” 你好"
    data = text.encode()
    misread = "".join(bytes([byte]).decode(wrong, "ignore") or chr(byte) for byte in data)
    assert misread != text
    assert repair_mojibake(misread) == text


def test_text_misread_twice_is_repaired_twice() -> None:
    assert repair_mojibake("é".encode().decode("latin-1").encode().decode("latin-1")) == "é"


@pytest.mark.parametrize(
    "text",
    ["Ça ira, été, naïf, façade", "ÄÖÜ äöü ß", "20 °C ± 1, £5 à la carte", "Ångström ÆØÅ"],
)
def test_proper_western_text_is_left_alone(text: str) -> None:
    assert repair_mojibake(text) == text


@settings(deadline=None)
@given(st.text(max_size=80))
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = clean_text(text)
    assert clean_text(once) == once


@settings(deadline=None)
@given(st.text(st.characters(categories=["Cs", "Cc", "Lo", "Zs"]), max_size=40))
def test_what_is_cleaned_can_be_written_as_utf8(text: str) -> None:
    clean_text(text).encode("utf-8")


def test_script_is_converted_by_phrases() -> None:
    assert convert_script("皇后的頭髮很長，發展迅速", "simplified") == "皇后的头发很长，发展迅速"
    assert convert_script("头发", "traditional") == "頭髮"
