from __future__ import annotations

import json
import math

import numpy as np
import pytest

from hanlin.evaluation import measure_repetition
from hanlin.evaluation.repetition import (
    distinct,
    longest_run,
    sequence_repetition,
    shared_ngrams,
    zipf_slope,
)
from hanlin.evaluation.units import split_units


def test_sequence_repetition_equals_hand_values() -> None:
    assert sequence_repetition("abcabc", 3) == pytest.approx(1 - 3 / 4)
    assert sequence_repetition("aaaaa", 4) == pytest.approx(0.5)
    assert sequence_repetition("abcd", 2) == 0
    assert math.isnan(sequence_repetition("ab", 3))


def test_distinct_pools_all_texts() -> None:
    assert distinct(["ab", "ab"], 2) == pytest.approx(0.5)
    assert distinct(["ab", "cd"], 1) == 1


def test_shared_ngrams_look_at_other_texts_only() -> None:
    assert shared_ngrams(["ababab", "cdcd"], 2) == 0
    assert shared_ngrams(["abc", "abd"], 2) == pytest.approx(0.5)


def test_longest_run_counts_one_unit_in_a_row() -> None:
    assert longest_run("abbbba") == 4
    assert longest_run("") == 0


def test_zipf_slope_finds_the_exponent_of_a_power_law() -> None:
    counts = np.round(1e6 * np.arange(1.0, 200) ** -1.2).astype(int)
    units = np.repeat(np.arange(counts.size), counts).tolist()
    assert zipf_slope(units) == pytest.approx(-1.2, abs=0.01)
    assert math.isnan(zipf_slope("abc"))


def test_chinese_counts_characters_and_english_words() -> None:
    zh = measure_repetition(["哈哈哈 哈，好"], "zh-Hans")
    assert (zh.units, zh.longest_run_max) == (6, 4)
    en = measure_repetition(["The the THE cat"], "en")
    assert (en.units, en.longest_run_max, en.seq_rep_1) == (4, 3, pytest.approx(0.5))
    assert split_units("It's 3 o’clock!", "en") == ["it's", "3", "o’clock", "!"]


def test_a_loop_is_less_diverse_than_plain_text() -> None:
    plain = "天地玄黄宇宙洪荒日月盈昃辰宿列张"
    loop, text = (measure_repetition([t], "zh") for t in ("天地玄黄" * 4, plain))
    assert text.diversity == 1
    assert loop.diversity < 0.1
    assert loop.seq_rep_4 == pytest.approx(1 - 4 / 13)
    assert measure_repetition(["天地玄黄" * 4], "zh", max_units=4).diversity != loop.diversity


def test_measures_without_a_value_are_null_in_json() -> None:
    values = json.loads(json.dumps(measure_repetition([""], "en").as_dict(), allow_nan=False))
    assert values["seq_rep_4"] is None
    assert values["longest_run_max"] == 0
