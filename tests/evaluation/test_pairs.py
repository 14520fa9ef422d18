from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hanlin.errors import DataError
from hanlin.evaluation import (
    DecoderScorer,
    MinimalPair,
    NgramScorer,
    UniformScorer,
    measure_pairs,
    read_pairs,
    wilson_interval,
)
from hanlin.models import Decoder
from hanlin.models.ngram import KneserNey

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer


def pair(good: str, bad: str, phenomenon: str = "agreement") -> MinimalPair:
    return MinimalPair(good, good, bad, phenomenon, phenomenon)


def test_a_model_that_knows_the_good_sentences_passes(tokenizer: Tokenizer) -> None:
    pairs = [pair("the cat sits", "the cat sit"), pair("你好吗", "你吗好", "order")] * 3
    texts = tokenizer.encode_batch(["the cat sits here", "你好吗"] * 5)
    report = measure_pairs(
        NgramScorer(KneserNey.fit(texts, 3, tokenizer.vocab_size)),
        tokenizer,
        [*pairs, pair("你吗好", "你好吗", "order")],
    )
    assert report.by_phenomenon["order"].value == 0.75
    assert report.accuracy < 1
    assert report.overall.total == 7
    assert report.as_dict()["chance"] == 0.5


def test_ties_count_half(tokenizer: Tokenizer) -> None:
    report = measure_pairs(UniformScorer(262), tokenizer, [pair("abc", "abd"), pair("ab", "abc")])
    assert report.overall.successes == 1.5  # the shorter sentence needs fewer bits


def test_sentences_are_scored_as_they_are_one_by_one(model: Decoder, tokenizer: Tokenizer) -> None:
    rng = np.random.default_rng(0)
    sentences = ["".join(rng.choice(list("abc 你好"), rng.integers(1, 30))) for _ in range(12)]
    scorer = DecoderScorer(model)
    pairs = [pair(a, b, str(i)) for i, (a, b) in enumerate(pairwise(sentences))]
    report = measure_pairs(scorer, tokenizer, pairs)

    def total(text: str) -> float:
        return float(scorer.score([np.array(tokenizer.encode(text))])[0].sum())

    for index, each in enumerate(pairs):
        difference = total(each.good) - total(each.bad)
        if abs(difference) > 1e-4:
            assert report.by_phenomenon[str(index)].value == float(difference > 0)


def write(path: Path, lines: Sequence[str]) -> Path:
    path.write_bytes(gzip.compress("\n".join(lines).encode("utf-8")))
    return path


def test_pairs_are_read_from_packed_json_lines(tmp_path: Path) -> None:
    record = {
        "id": "x-1",
        "good": "他来了。",
        "bad": "他了来。",
        "phenomenon": "p",
        "paradigm": "q",
    }
    lines = [json.dumps(record, ensure_ascii=False), "", '{"good": "a", "bad": "b"}']
    first, second = read_pairs(write(tmp_path / "pairs.jsonl.gz", lines))
    assert first == MinimalPair("x-1", "他来了。", "他了来。", "p", "q")
    assert second.phenomenon == "all"


@pytest.mark.parametrize("line", ["no json", '{"good": "a"}', '["good", "bad"]'])
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(DataError, match="line 2"):
        read_pairs(write(tmp_path / "pairs.jsonl.gz", ['{"good": "a", "bad": "b"}', line]))


def test_an_unreadable_or_empty_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.jsonl"):
        read_pairs(tmp_path / "absent.jsonl")
    with pytest.raises(DataError, match="no minimal pair"):
        read_pairs(write(tmp_path / "empty.jsonl.gz", []))
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b"x" * 100)[:-10])
    with pytest.raises(DataError, match=r"cut\.jsonl"):
        read_pairs(tmp_path / "cut.jsonl.gz")


def test_the_wilson_interval_equals_known_values() -> None:
    assert wilson_interval(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    low, high = wilson_interval(0, 10)
    assert (low, high) == pytest.approx((0, 0.2775), abs=1e-4)
    assert wilson_interval(0, 0) == (0, 1)
