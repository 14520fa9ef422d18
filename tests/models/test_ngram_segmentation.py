from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.errors import DataError
from hanlin.models.ngram import WordModel, segment

SENTENCES = [["ab", "a", "c"], ["a", "bc", "ab"], ["abc", "c"], ["ab", "a", "b", "ca"]]


def all_cuts(text: str) -> Iterator[list[str]]:
    if not text:
        yield []
    for end in range(1, len(text) + 1):
        for rest in all_cuts(text[end:]):
            yield [text[:end], *rest]


def score(words: list[str], model: WordModel) -> float:
    return sum(
        model.logprob(word, before) for before, word in zip(["", *words], words, strict=False)
    )


@settings(max_examples=60, deadline=None)
@given(text=st.text("abcx", min_size=1, max_size=9), with_pairs=st.booleans())
def test_the_cut_is_the_best_of_all_cuts(text: str, with_pairs: bool) -> None:
    fitted = WordModel.fit(SENTENCES)
    model = WordModel(fitted.unigrams, fitted.bigrams if with_pairs else {}, beta=2.0)
    found = segment(text, model, longest=len(text))
    assert "".join(found) == text
    assert score(found, model) == pytest.approx(max(score(cut, model) for cut in all_cuts(text)))


def test_neighbours_decide_where_counts_do_not() -> None:
    counts = {"研究": 5, "研究生": 5, "命": 5, "生命": 5, "他": 5}
    assert segment(
        "他研究生命", WordModel(counts, {("他", "研究生"): 500, ("研究生", "命"): 500})
    ) == [
        "他",
        "研究生",
        "命",
    ]
    assert segment(
        "他研究生命", WordModel(counts, {("他", "研究"): 500, ("研究", "生命"): 500})
    ) == [
        "他",
        "研究",
        "生命",
    ]


def test_word_probabilities_after_any_word_sum_to_at_most_one() -> None:
    model = WordModel.fit(SENTENCES)
    import math

    total = sum(math.exp(model.logprob(word, "ab")) for word in model.unigrams)
    assert 0.9 < total <= 1


def test_white_space_parts_words_and_unknown_characters_stand() -> None:
    model = WordModel({"天气": 9, "很": 9, "好": 9}, {})
    assert segment("天气 很好\n龘", model) == ["天气", "很", "好", "龘"]
    assert segment("", model) == []


def test_a_word_list_is_read_and_a_bad_line_named(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("天气 9 n\n\n好\t3\n好 2\n", encoding="utf-8")
    assert WordModel.read(tmp_path / "words.txt").unigrams == {"天气": 9, "好": 5}
    (tmp_path / "words.txt").write_text("天气 9\n好\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 2"):
        WordModel.read(tmp_path / "words.txt")
    with pytest.raises(DataError, match="count"):
        WordModel({}, {})
