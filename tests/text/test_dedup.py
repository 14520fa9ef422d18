"""Duplicates are found and distinct texts kept: by characters in Chinese, by words in English."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.text.dedup import find_duplicates, find_near_duplicates, minhash, text_hash
from hanlin.text.units import hash_each, hash_ngrams, hash_units

HAN = [chr(code) for code in range(0x4E00, 0x4E00 + 600)]
WORDS = [f"{first}{last}" for first in "bcdfglmnpst" for last in ("at", "ed", "in", "ow", "ush")]


def random_text(rng: random.Random, chinese: bool, length: int = 300) -> list[str]:
    return rng.choices(HAN if chinese else WORDS, k=length)


def joined(units: list[str], chinese: bool) -> str:
    return ("" if chinese else " ").join(units)


def near(texts: list[str], similarity: float = 0.8) -> list[int]:
    signatures = np.stack([minhash(hash_units(text)) for text in texts])
    return find_near_duplicates(signatures, similarity).tolist()


@pytest.mark.parametrize("chinese", [True, False])
def test_planted_near_duplicates_are_found_and_distinct_texts_kept(chinese: bool) -> None:
    rng = random.Random(7)
    originals = [random_text(rng, chinese) for _ in range(40)]
    copies = [list(original) for original in originals]
    for copy in copies:
        copy[rng.randrange(len(copy))] = "末" if chinese else "end"  # touches 5 of 296 5-grams
    texts = [joined(text, chinese) for text in originals + copies]
    assert near(texts) == [*range(40), *range(40)]


def test_texts_that_share_half_are_both_kept() -> None:
    rng = random.Random(3)
    shared = random_text(rng, True, 150)
    assert near([joined(shared + random_text(rng, True, 150), True) for _ in range(5)]) == [
        *range(5)
    ]


def test_the_earliest_of_a_group_is_kept() -> None:
    text = joined(random_text(random.Random(1), True), True)
    assert near([text, "别的" * 30, text + "完", text + "终", text]) == [0, 1, 0, 0, 0]


def test_a_thousand_equal_texts_leave_one() -> None:
    signature = minhash(hash_units("同一篇文章" * 20))
    assert set(find_near_duplicates(np.tile(signature, (1000, 1)), 0.8).tolist()) == {0}


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32), st.integers(0, 200))
def test_equal_entries_estimate_the_jaccard_similarity(seed: int, changed: int) -> None:
    rng = random.Random(seed)
    first = random_text(rng, True, 400)
    second = first[:changed] + random_text(rng, True, 400 - changed)
    a, b = (hash_units(joined(text, True)) for text in (first, second))
    grams = [set(hash_ngrams(units, 5).tolist()) for units in (a, b)]
    exact = len(grams[0] & grams[1]) / len(grams[0] | grams[1])
    assert abs((minhash(a) == minhash(b)).mean() - exact) < 5 * 0.046


def test_exact_duplicates_point_to_the_first() -> None:
    texts = ["Hello  World", "另一篇", "hello world\n", "另一 篇", "third"]
    hashes = np.array([text_hash(text) for text in texts], np.uint64)
    assert find_duplicates(hashes).tolist() == [0, 1, 0, 1, 4]


def test_units_are_characters_for_chinese_and_words_for_english() -> None:
    cat, sat, mao = (hash_units(word)[0] for word in ("cat", "sat", "猫"))
    assert hash_units("Cat，猫 sat!").tolist() == [cat, mao, sat]


def test_hashes_are_the_same_in_every_process_and_release() -> None:
    assert text_hash("翰林") == 10606763373376143307
    assert hash_units("翰林 Hanlin").tolist() == [
        3328749054718511921,
        7047860724545020135,
        112933672172983989,
    ]


def test_a_text_without_units_has_no_ngrams_and_a_signature_all_the_same() -> None:
    assert len(hash_ngrams(hash_units("……"), 5)) == 0
    assert minhash(hash_units("")).shape == (120,)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(alphabet="aB猫Σσ\n ,é\ud800", max_size=12), max_size=6))
def test_hashing_many_texts_at_once_is_hashing_each(texts: list[str]) -> None:
    found = [units.tolist() for units in hash_each(texts)]
    assert found == [hash_units(text).tolist() for text in texts]


@pytest.mark.parametrize("length", [1, 2, 5, 13, 90])
@pytest.mark.parametrize("size", [1, 2, 7, 80])
def test_runs_are_hashed_as_polynomials_however_long_they_are(length: int, size: int) -> None:
    units = np.random.default_rng(1).integers(0, 2**64, length, dtype=np.uint64)
    size = min(size, length)
    runs = [0] * (length - size + 1)
    for start, end in ((n, n + size) for n in range(len(runs))):
        for unit in units[start:end].tolist():
            runs[start] = (runs[start] * 0x9E3779B97F4A7C15 + unit) % 2**64
    # A run of one unit is mixed as any other is.
    wanted = hash_ngrams(np.array(runs, np.uint64), 1)
    assert hash_ngrams(units, size).tolist() == wanted.tolist()
