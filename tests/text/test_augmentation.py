"""Every transformation is marked, can be undone, and depends on nothing but text and generator."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.text.augmentation import (
    COPY,
    FIM_MIDDLE,
    FIM_PREFIX,
    FIM_SUFFIX,
    MARKERS,
    ORIGINAL,
    PERMUTE,
    REVERSE,
    SEPARATOR,
    SORT,
    TRANSFORMATIONS,
    Marked,
    cut_passages,
    cut_runs,
    cut_sentences,
    cut_words,
    restore,
)
from hanlin.tokenizers.control import CONTROL_IDS

STORY = (
    "小猫在河边看见一条鱼。The cat saw 3.5 fish! 它跳进水里，鱼游走了。\n\nIt is late, isn't it?"
)

_PIECES = [
    "小猫",
    "河边",
    "看见",
    "。",
    "！",
    ". ",
    "? ",
    "\n",
    " ",
    "The cat",
    " saw",
    "3.14",
    "，",
]
texts = st.one_of(
    st.lists(st.sampled_from(_PIECES), max_size=30).map("".join),
    st.text(max_size=60),
)


def _apply(name: str, text: str, seed: int) -> Marked | None:
    return TRANSFORMATIONS[name].apply(text, random.Random(seed))


@settings(deadline=None)
@given(text=texts)
def test_words_and_sentences_joined_are_the_text(text: str) -> None:
    assert "".join(cut_words(text)) == text
    assert "".join(cut_sentences(text)) == text


@settings(deadline=None)
@given(text=texts, seed=st.integers(0, 99), longest=st.integers(1, 25))
def test_runs_joined_are_the_text_and_hold_no_more_words_than_asked(
    text: str, seed: int, longest: int
) -> None:
    words, runs = cut_words(text), cut_runs(text, random.Random(seed), longest=longest)
    assert "".join(runs) == text
    assert -(-len(words) // longest) <= len(runs) <= len(words)


@pytest.mark.parametrize("name", ["reverse", "permute", "infill", "repeat"])
@settings(deadline=None, max_examples=60)
@given(text=texts, seed=st.integers(0, 2**32))
def test_what_is_transformed_can_be_restored(name: str, text: str, seed: int) -> None:
    marked = _apply(name, text, seed)
    assert marked is None or restore(marked) == text


@settings(deadline=None)
@given(text=texts, seed=st.integers(0, 2**32))
def test_infilled_parts_joined_are_the_text_and_the_middle_is_not_empty(
    text: str, seed: int
) -> None:
    marked = _apply("infill", text, seed)
    if marked is not None:
        parts = {part.marker: part.text for part in marked}
        assert parts[FIM_PREFIX] + parts[FIM_MIDDLE] + parts[FIM_SUFFIX] == text
        assert parts[FIM_MIDDLE]
        assert marked[-1].marker == FIM_MIDDLE


@settings(deadline=None)
@given(text=texts, seed=st.integers(0, 2**32))
def test_shuffled_sentences_are_the_same_in_another_order(text: str, seed: int) -> None:
    marked = _apply("permute", text, seed)
    if marked is not None:
        assert marked[0].text != text
        assert sorted(marked[0].text) == sorted(text)


def test_reversed_words_and_runs_both_occur_and_are_undone() -> None:
    forms = {tuple(part.marker for part in _apply("reverse", STORY, s) or ()) for s in range(20)}
    assert (REVERSE, ORIGINAL) in forms
    assert any(SEPARATOR in form for form in forms)


def test_infilling_puts_the_prefix_first_half_of_the_time() -> None:
    first = [(_apply("infill", STORY, seed) or ())[0].marker for seed in range(400)]
    assert set(first) == {FIM_PREFIX, FIM_SUFFIX}
    assert 160 < first.count(FIM_PREFIX) < 240


def test_sorting_goes_from_short_to_long_in_both_directions_of_the_task() -> None:
    forms = {}
    for seed in range(20):
        marked = _apply("sort", STORY, seed) or ()
        forms[marked[0].marker] = marked
    assert {part.marker for part in forms[SORT]} == {SORT, ORIGINAL}
    assert restore(forms[SORT]) == STORY
    shuffled, ordered = forms[PERMUTE]
    assert (shuffled.marker, ordered.marker) == (PERMUTE, SORT)
    lengths = [len(sentence.strip()) for sentence in cut_sentences(ordered.text)]
    assert lengths == sorted(lengths)
    assert sorted(shuffled.text) == sorted(ordered.text)


def test_a_copy_stands_twice() -> None:
    marked = _apply("repeat", STORY, 0) or ()
    assert [tuple(part) for part in marked] == [(COPY, STORY), (ORIGINAL, STORY)]


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_a_transformation_is_a_pure_function_of_text_and_seed(name: str) -> None:
    assert _apply(name, STORY, 7) == _apply(name, STORY, 7)
    if name != "repeat":
        assert len({_apply(name, STORY, seed) for seed in range(20)}) > 1


@pytest.mark.parametrize("name", TRANSFORMATIONS)
@pytest.mark.parametrize("text", ["", "  \n"])
def test_what_is_too_short_is_left_alone(name: str, text: str) -> None:
    assert _apply(name, text, 1) is None


def test_every_marker_is_a_control_token_of_all_tokenizers() -> None:
    assert all(marker in CONTROL_IDS for marker in MARKERS)


@settings(deadline=None)
@given(text=texts, most=st.integers(1, 20))
def test_passages_are_whole_sentences_within_the_limit(text: str, most: int) -> None:
    sentences = [s for s in cut_sentences(text) if len(s) <= most]
    passages = list(cut_passages(text, len, most))
    assert "".join(passages) == "".join(sentences)
    assert all(0 < len(passage) <= most for passage in passages)
