"""ROUGE by hand: characters of Chinese, words of English, n-grams clipped."""

from __future__ import annotations

import pytest

from hanlin.evaluation import rouge


def test_chinese_is_counted_in_characters() -> None:
    scores = rouge("小猫跑", "小狗跑", "zh")
    assert scores == {"rouge_1": pytest.approx(2 / 3), "rouge_2": 0.0, "rouge_l": 2 / 3}


def test_english_is_counted_in_words_without_case() -> None:
    scores = rouge("The cat sat", "the cat", "en")
    assert scores["rouge_1"] == pytest.approx(0.8)
    assert scores["rouge_2"] == pytest.approx(2 / 3)
    assert scores["rouge_l"] == pytest.approx(0.8)


def test_a_repeated_word_counts_as_often_as_the_reference_has_it() -> None:
    assert rouge("the the the", "the", "en")["rouge_1"] == pytest.approx(0.5)


def test_the_subsequence_keeps_the_order() -> None:
    assert rouge("甲乙丙丁", "丁丙乙甲", "zh")["rouge_l"] == pytest.approx(0.25)
    assert rouge("甲乙丙丁", "甲丙丁戊", "zh")["rouge_l"] == pytest.approx(0.75)


def test_an_empty_text_scores_nothing() -> None:
    assert set(rouge("", "小猫", "zh").values()) == {0.0}
