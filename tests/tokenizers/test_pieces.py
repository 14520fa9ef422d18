from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

from hanlin.tokenizers.pieces import PATTERN, split_pattern

from .conftest import assigned, tricky_text

_SPACES = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
SPLIT = pre_tokenizers.Split(Regex(PATTERN), "isolated")
SPACES = _SPACES + "".join(map(chr, range(0x2000, 0x200B)))


def llama_cpp_pieces(text: str) -> list[str]:
    """Scan as llama.cpp's `kimi-k2` does, one decision after the other, without a regex."""
    pieces: list[str] = []
    start = 0
    while start < len(text):
        end = _scan(text, start)
        pieces.append(text[start:end])
        start = end
    return pieces


def _scan(text: str, place: int) -> int:
    if _is_han(text, place):
        return _run(text, place, _is_han)
    word = place
    if text[place] not in "\r\n" and not _is_letter(text, place) and not _is_number(text, place):
        word += 1
    if _is_letter(text, word) and not _is_han(text, word):
        end = _run(text, word, lambda t, i: _is_letter(t, i) and not _is_han(t, i))
        if text[end : end + 2] and text[end : end + 2].lower() in ("'s", "'t", "'m", "'d"):
            return end + 2 if text[end + 1].isascii() else end
        return end + 3 if text[end : end + 3].lower() in ("'re", "'ve", "'ll") else end
    if _is_number(text, place):
        return min(place + 3, _run(text, place, _is_number))
    mark = place + (text[place] == " ")
    if _is_mark(text, mark):
        return _run(text, _run(text, mark, _is_mark), lambda t, i: t[i : i + 1] in ("\r", "\n"))
    end = _run(text, place, _is_space)
    newline = max(text.rfind("\n", place, end), text.rfind("\r", place, end))
    if newline >= 0:
        return newline + 1
    return end - 1 if end - place > 1 and end < len(text) else end


def _run(text, place, test):
    while place < len(text) and test(text, place):
        place += 1
    return place


def _is_han(text: str, place: int) -> bool:
    code = ord(text[place]) if place < len(text) else 0
    return (
        0x3400 <= code <= 0x4DBF
        or 0x4E00 <= code <= 0x9FFF
        or 0xF900 <= code <= 0xFAFF
        or 0x20000 <= code <= 0x2A6DF
        or 0x2A700 <= code <= 0x2EBEF
        or 0x2F800 <= code <= 0x2FA1F
    )


def _is_letter(text: str, place: int) -> bool:
    return place < len(text) and unicodedata.category(text[place]).startswith("L")


def _is_number(text: str, place: int) -> bool:
    return place < len(text) and unicodedata.category(text[place]).startswith("N")


def _is_space(text: str, place: int) -> bool:
    return place < len(text) and text[place] in SPACES


def _is_mark(text: str, place: int) -> bool:
    return place < len(text) and not (
        _is_space(text, place) or _is_letter(text, place) or _is_number(text, place)
    )


def tokenizers_pieces(text: str) -> list[str]:
    return [piece for piece, _ in SPLIT.pre_tokenize_str(text)]


@settings(deadline=None, max_examples=300)
@given(tricky_text)
def test_python_tokenizers_and_llama_cpp_cut_alike(text: str) -> None:
    pieces = split_pattern().findall(text)
    assert pieces == tokenizers_pieces(text)
    assert pieces == llama_cpp_pieces(text)


@settings(deadline=None)
@given(tricky_text, st.none() | st.integers(1, 5))
def test_pieces_lose_nothing(text: str, max_han: int | None) -> None:
    assert "".join(split_pattern(max_han).findall(text)) == text


def test_han_is_kept_apart_from_everything_else() -> None:
    assert split_pattern().findall("用Python3写，2008年") == [
        "用",
        "Python",
        "3",
        "写",
        "，",
        "200",
        "8",
        "年",
    ]


def test_runs_of_han_are_cut_after_the_longest_token() -> None:
    assert split_pattern(4).findall("中华人民共和国") == ["中华人民", "共和国"]


@pytest.mark.slow
def test_every_character_is_cut_alike_in_all_engines() -> None:
    for code in range(sys.maxunicode + 1):
        if assigned(chr(code)):
            text = f"a{chr(code)}b {chr(code)}{chr(code)}1{chr(code)}'s\n{chr(code)} "
            assert split_pattern().findall(text) == tokenizers_pieces(text), hex(code)
