from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.evaluation.windows import cut_windows


@settings(deadline=None)
@given(length=st.integers(0, 300), context=st.integers(1, 64))
def test_windows_score_every_token_once_with_half_a_context_of_history(
    length: int, context: int
) -> None:
    scored: list[int] = []
    for window in cut_windows(length, context):
        assert 0 <= window.start <= window.first < window.stop <= length
        assert window.stop - window.start <= context
        for position in range(window.first, window.stop):
            assert position - window.start >= min(position, context // 2)
        scored.extend(range(window.first, window.stop))
    assert scored == list(range(length))


def test_a_document_within_the_context_is_one_window() -> None:
    assert [tuple(window) for window in cut_windows(16, 16)] == [(0, 16, 0)]
    assert cut_windows(0, 16) == []
