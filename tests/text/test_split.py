"""The split is a function of each text, and small corpora hold something out too."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.text.contamination import RunIndex
from hanlin.text.split import assign_splits

hashes_of = st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=200)


def assign(hashes: list[int], share: float = 0.02) -> list[int]:
    return assign_splits(np.array(hashes, np.uint64), share, share).tolist()


@settings(deadline=None)
@given(hashes_of, st.floats(0.001, 0.49))
def test_no_split_is_empty_from_three_documents_on(hashes: list[int], share: float) -> None:
    assert set(assign(hashes, share)) == (
        {0, 1, 2} if len(hashes) >= 3 else set(assign(hashes, share))
    )


@settings(deadline=None)
@given(hashes_of, st.randoms(use_true_random=False))
def test_the_order_of_documents_does_not_matter(hashes: list[int], rng: object) -> None:
    shuffled = list(hashes)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert dict(zip(hashes, assign(hashes), strict=True)) == dict(
        zip(shuffled, assign(shuffled), strict=True)
    )


def test_more_documents_move_none_of_a_large_corpus() -> None:
    draws = np.random.default_rng(0).integers(0, 2**64, 5_000, dtype=np.uint64)
    before = assign_splits(draws[:4_000], 0.02, 0.02)
    assert (assign_splits(draws, 0.02, 0.02)[:4_000] == before).all()
    assert 50 < (before == 2).sum() < 110


def test_a_document_added_to_a_small_corpus_moves_at_most_two() -> None:
    draws = np.random.default_rng(1).integers(0, 2**64, 12, dtype=np.uint64)
    before, after = assign_splits(draws[:11], 0.02, 0.02), assign_splits(draws, 0.02, 0.02)
    assert (before != after[:11]).sum() <= 2


def test_a_planted_run_of_thirteen_is_found() -> None:
    zh = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳"  # 16 characters, 4 runs
    en = "one two three four five six seven eight nine ten eleven twelve thirteen"
    index = RunIndex([zh, en, "完全没有出现过的一句话在这里等着"])
    index.mark(f"前文，{zh[:14]}！后文")
    index.mark(en.upper().replace(" ", ", "))
    assert index.shares().tolist() == [0.5, 1.0, 0.0]


def test_twelve_units_are_not_enough() -> None:
    index = RunIndex(["甲乙丙丁戊己庚辛壬癸子丑寅"])
    index.mark("甲乙丙丁戊己庚辛壬癸子丑，卯")
    assert index.shares().tolist() == [0.0]


def test_overlap_is_the_share_of_a_texts_runs_that_are_indexed() -> None:
    index = RunIndex(["甲乙丙丁戊己庚辛壬癸子丑寅"])
    assert index.overlap("甲乙丙丁戊己庚辛壬癸子丑寅卯") == 0.5
    assert RunIndex([]).overlap("甲乙丙丁戊己庚辛壬癸子丑寅卯") == 0.0


def test_a_sample_of_the_runs_estimates_the_shares() -> None:
    texts = [
        "".join(map(chr, range(0x4E00 + 2000 * n, 0x4E00 + 2000 * n + 2000))) for n in range(4)
    ]
    index = RunIndex(texts, most_runs=1_500)
    index.mark(texts[0])
    index.mark(texts[1][:1000])
    assert abs(index.shares() - [1.0, 0.5, 0.0, 0.0]).max() < 0.1
