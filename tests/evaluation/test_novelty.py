from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.evaluation import measure_novelty, novelty

ALPHABET = "天地玄黄宇宙"
HAN = st.text(ALPHABET, max_size=30)


def longest_common(sample: str, texts: list[str]) -> int:
    stretches = (
        end - start
        for start in range(len(sample))
        for end in range(start + 1, len(sample) + 1)
        if any(sample[start:end] in text for text in texts)
    )
    return max(stretches, default=0)


@settings(max_examples=80, deadline=None)
@given(samples=st.lists(HAN, max_size=4), training=st.lists(HAN, max_size=5), n=st.integers(1, 5))
def test_matches_equal_those_of_plain_string_search(
    samples: list[str], training: list[str], n: int
) -> None:
    found = measure_novelty({"samples": samples}, training, ngram_size=n)["samples"]
    assert list(found.longest) == [longest_common(sample, training) for sample in samples]
    grams = [s[i : i + n] for s in samples for i in range(len(s) - n + 1)]
    held = sum(any(gram in text for text in training) for gram in grams)
    assert (found.found.successes, found.found.total) == (held, len(grams))
    whole = sum(bool(s) and any(s in text for text in training) for s in samples)
    assert found.copied.successes == whole


def han(rng: np.random.Generator, size: int) -> str:
    return "".join(chr(code) for code in rng.integers(0x4E00, 0x9FA0, size))


def test_a_planted_copy_is_found_in_a_long_training_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(novelty, "_PIECE_UNITS", 3000)  # so that the text comes in several pieces
    rng = np.random.default_rng(0)
    training = [han(rng, 500) for _ in range(40)]
    copied = han(rng, 30) + training[33][100:150] + han(rng, 20)
    results = measure_novelty(
        {"copied": [copied, training[7]], "own": [han(rng, 100)]}, iter(training)
    )
    assert results["copied"].longest == (50, 500)
    assert results["copied"].copied.value == 0.5
    assert results["copied"].found.successes == (50 - 12) + (500 - 12)
    assert results["own"].longest[0] < 4
    assert results["own"].found.value == 0


def test_english_is_compared_by_words_without_case_and_punctuation() -> None:
    training = ["It was the best of times, it was the worst of times."]
    results = measure_novelty(
        {"samples": ["It was THE BEST of times; it was the end", "at it", ""]}, training
    )
    assert results["samples"].longest == (9, 1, 0)
    assert results["samples"].as_dict()["longest_max"] == 9


def test_a_match_does_not_run_across_training_texts() -> None:
    results = measure_novelty({"samples": ["天地玄黄"]}, ["天地", "玄黄"])
    assert results["samples"].longest == (2,)


def test_training_text_is_read_once() -> None:
    reads = 0

    def training() -> Iterator[str]:
        nonlocal reads
        for _ in range(3):
            reads += 1
            yield "天地玄黄"

    measure_novelty({"a": ["天地"], "b": ["玄黄"]}, training())
    assert reads == 3
