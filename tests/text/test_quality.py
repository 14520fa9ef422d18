"""The quality rules pass prose and verse of both languages, and name what ails the rest."""

from __future__ import annotations

import random

import pytest

from hanlin.text.quality import find_fault, profile_text
from hanlin.text.units import hash_units

PROSE = (
    "The river ran high that spring, and nobody crossed it. Old Tom watched from the bank with his "
    "dog, and counted the logs that went by. When evening came he went home and lit the lamp."
)


def fault(text: str, language: str = "zh-Hans") -> str | None:
    return find_fault(profile_text(text, language, hash_units(text)))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("春眠不觉晓，处处闻啼鸟。\n夜来风雨声，花落知多少。", "zh-Hans"),
        (
            "第十二条 人身权利、财产权利受法律保护。\n第十三条 自然人从出生时起享有权利。",
            "zh-Hans",
        ),
        (PROSE, "en"),
        ("“去哪儿？”“回家。”", "zh-Hans"),
    ],
)
def test_prose_and_verse_pass(text: str, language: str) -> None:
    assert fault(text, language) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("文字\ufffd\ufffd坏了", "broken characters"),
        ("锟斤拷锟斤拷 这里原来有字", "broken characters"),
        ("2020-01-01 12:30, 2020-01-02 13:30", "few letters"),
        ("int main() { return a[i] + b[i]; } /* x = y + z */ #include <a>", "many symbols"),
        ("编号 12 34 56 价格甲乙丙丁戊己", "many digits"),
        ("哈" * 50, "one character repeated"),
        ("返回首页查看更多\n" * 20 + "正文只有这一句话。", "repeated lines"),
        (" ".join(["to be or not to be that is the question"] * 12), "repeated passages"),
        ("".join(f"今天新闻第{n}条内容……\n" for n in "甲乙丙丁戊己庚辛壬癸"), "lines cut short"),
    ],
)
def test_faults_are_named(text: str, reason: str) -> None:
    assert fault(text) == reason


def test_english_of_impossible_words_is_named() -> None:
    letters = random.Random(0).choices("abcdefghijklmnopqrstuvwxyz", k=40)
    assert fault(" ".join(letters), "en") == "odd word lengths"
