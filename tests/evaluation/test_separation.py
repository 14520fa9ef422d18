from __future__ import annotations

import numpy as np
import pytest

from hanlin.errors import DataError
from hanlin.evaluation import measure_separation
from hanlin.evaluation.separation import area_under_curve


def write_texts(letters: str, num: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(letters), 40)) for _ in range(num)]


def test_texts_of_one_source_cannot_be_told_apart() -> None:
    results = [
        measure_separation(
            write_texts("天地玄黄宇宙洪荒", 30, seed),
            write_texts("天地玄黄宇宙洪荒", 30, 100 + seed),
            "zh",
            np.random.default_rng(seed),
            units=30,
        )
        for seed in range(6)
    ]
    assert np.mean([result.auc for result in results]) == pytest.approx(0.5, abs=0.08)
    held = [r.accuracy.interval.low < 0.5 < r.accuracy.interval.high for r in results]
    assert sum(held) >= 5  # 95 % intervals


def test_texts_with_another_habit_are_told_apart() -> None:
    human, model = write_texts("天地玄黄宇宙洪荒", 40, 0), write_texts("天地玄黄宇宙洪洪", 50, 1)
    result = measure_separation(model, human, "zh", np.random.default_rng(0), units=40)
    assert result.accuracy.value > 0.9
    assert result.auc > 0.95
    assert (result.texts_of_each, result.left_out) == (40, 10)


def test_length_gives_nothing_away() -> None:
    short, long = write_texts("天地玄黄", 50, 0), write_texts("天地玄黄", 50, 1)
    padded = [text * 3 for text in long]
    result = measure_separation(short, padded, "zh", np.random.default_rng(0), units=40)
    assert result.accuracy.interval.low < 0.5


def test_too_few_texts_are_refused() -> None:
    with pytest.raises(DataError, match="there are 0 and 9"):
        measure_separation(["短"] * 9, ["天地玄黄"] * 9, "zh", np.random.default_rng(0), units=4)


def test_area_under_the_curve_counts_pairs() -> None:
    margins, positive = np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])
    assert area_under_curve(margins, positive) == pytest.approx(0.75)
    assert area_under_curve(np.zeros(4), positive) == 0.5
