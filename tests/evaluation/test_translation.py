"""BLEU and chrF by hand."""

from __future__ import annotations

import math

import pytest

from hanlin.evaluation import bleu, chrf

PRODUCT = 100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25


@pytest.mark.parametrize(
    ("text", "reference", "language"),
    [("a b c d e", "a b c d f", "en"), ("甲乙丙丁戊", "甲乙丙丁己", "zh")],
)
def test_bleu_is_the_geometric_mean_of_the_precisions(
    text: str, reference: str, language: str
) -> None:
    assert bleu([(text, reference)], language) == pytest.approx(PRODUCT)


def test_bleu_punishes_what_is_too_short() -> None:
    assert bleu([("a b c d", "a b c d e f")], "en") == pytest.approx(100 * math.exp(-0.5))


def test_bleu_halves_once_more_for_each_order_without_a_match() -> None:
    expected = 100 * (3 / 4 * 1 / 3 * 1 / 4 * 1 / 4) ** 0.25
    assert bleu([("a b c d", "a b x d")], "en") == pytest.approx(expected)


def test_bleu_adds_counts_over_the_corpus() -> None:
    pairs = [("a b c d e", "a b c d f"), ("a b c d e", "a b c d e")]
    expected = 100 * (9 / 10 * 7 / 8 * 5 / 6 * 3 / 4) ** 0.25
    assert bleu(pairs, "en") == pytest.approx(expected)


def test_latin_words_in_chinese_stay_whole() -> None:
    assert bleu([("用Python写", "用Pithon写")], "zh") == bleu([("甲乙丙", "甲丁丙")], "zh")


def test_nothing_in_common_scores_zero() -> None:
    assert bleu([("a b", "c d")], "en") == 0
    assert bleu([("", "c d")], "en") == 0
    assert chrf([("ab", "cd")]) == 0
    assert chrf([("", "cd")]) == 0


def test_chrf_is_f2_of_mean_precision_and_recall() -> None:
    assert chrf([("ab", "ac")]) == pytest.approx(25)
    assert chrf([("a bc", "ab")]) == pytest.approx(87.5)  # P = (2/3 + 1/2) / 2, R = 1
