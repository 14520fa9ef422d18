from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.tokenizers import learning, reference
from hanlin.tokenizers.learning import MAX_HAN, learn_merges
from hanlin.tokenizers.pieces import PATTERN

from .conftest import tricky_text


@settings(deadline=None, max_examples=150)
@given(st.lists(tricky_text | st.text("ab 中国", max_size=60), max_size=6), st.integers(0, 40))
def test_learning_agrees_with_the_reference(texts: list[str], num_merges: int) -> None:
    assert learn_merges(texts, num_merges) == reference.train(texts, num_merges)


def test_the_reference_learns_the_same_from_real_sentences(texts: tuple[str, ...]) -> None:
    assert learn_merges(texts, 200) == reference.train(texts, 200)


def test_small_steps_and_many_recounts_change_nothing(
    texts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = learn_merges(texts, 250)
    monkeypatch.setattr(learning, "_FLOOR_RATIO", 2)
    monkeypatch.setattr(learning, "_CHUNK", 17)
    monkeypatch.setattr(learning, "_SLICE", 5)
    assert learn_merges(texts, 250) == expected


def test_wide_symbols_change_nothing(
    texts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    merges = learn_merges(texts, 70_000)  # More symbols than two bytes hold.
    assert learn_merges(texts, 150) == merges[:150]
    assert len(merges) < 70_000


def test_rustbpe_learns_the_same(texts: tuple[str, ...]) -> None:
    rustbpe = pytest.importorskip("rustbpe")
    trainer = rustbpe.Tokenizer()
    pattern = PATTERN.replace("]+|", "]{1,4}|", 1)
    trainer.train_from_iterator(iter(texts), vocab_size=256 + 150, pattern=pattern)
    learnt = [
        bytes(token) for token, _ in sorted(trainer.get_mergeable_ranks(), key=lambda r: r[1])
    ]
    tokens = [bytes([byte]) for byte in range(256)]
    for left, right in learn_merges(texts, 150):
        tokens.append(tokens[left] + tokens[right])
    assert tokens == learnt


def test_no_token_holds_more_than_four_han_characters() -> None:
    tokens = [bytes([byte]) for byte in range(256)]
    for left, right in learn_merges(["中华人民共和国万岁。"] * 20, 100):
        tokens.append(tokens[left] + tokens[right])
    assert max(len(token.decode("utf-8", "ignore")) for token in tokens) == MAX_HAN == 4


def test_learning_stops_where_nothing_occurs_twice() -> None:
    assert learn_merges(["abcdef"], 5) == []
    assert learn_merges([], 5) == []
    assert learn_merges(["ab ab"], 5) == [(97, 98)]


def test_a_pair_is_joined_from_the_left() -> None:
    assert learn_merges(["aaaaaa"] * 3, 2) == [(97, 97), (256, 256)]
    assert learn_merges(["aaaaa"] * 3, 2) == [(97, 97), (256, 97)]  # A tie.
    assert reference.join_pair([1, 1, 1, 2, 1], (1, 1), 9) == [9, 1, 2, 1]
