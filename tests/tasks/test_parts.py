"""Long documents in parts: nothing is lost, nothing is too long, and sentences stay whole."""

from __future__ import annotations

import pytest

from hanlin.tasks.parts import join_summaries, split_document

TEXT = "天黑了。小猫回家。\n\nIt was dark. The cat went home.\n" + "很长" * 30 + "。\n"


@pytest.mark.parametrize("most", [1, 7, 20, 50, 1000])
def test_parts_join_to_the_document_and_none_is_too_long(most: int) -> None:
    parts = split_document(TEXT, most, len)
    assert "".join(parts) == TEXT
    assert max(map(len, parts)) <= most


def test_parts_are_even_and_end_with_sentences() -> None:
    text = "小猫跑了。" * 22
    parts = split_document(text, 100, len)
    assert len(parts) == 2
    assert all(part.endswith("。") for part in parts)
    assert max(map(len, parts)) - min(map(len, parts)) <= 15


def test_what_is_said_twice_stands_once() -> None:
    assert join_summaries(["A cat.", "", "A dog.", "A cat."], "en") == "A cat. A dog."
    assert join_summaries(["小猫。", "小狗。"], "zh") == "小猫。小狗。"
