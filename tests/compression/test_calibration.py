"""Calibration rows."""

from __future__ import annotations

import numpy as np
import pytest

from hanlin.compression import calibration_rows
from hanlin.errors import DataError
from hanlin.evaluation import HeldOutDocument


def document(language: str, ids: list[int]) -> HeldOutDocument:
    return HeldOutDocument(language, np.array(ids), len(ids), len(ids), lossless=True)


def test_languages_take_turns_until_there_are_enough_rows():
    documents = [document("zh", [1, 2, 3, 4]), document("zh", [5, 6]), document("en", [7, 8, 9])]
    rows = calibration_rows(documents, eot_id=0, length=3, rows=9)
    assert rows.tolist() == [[0, 1, 2], [0, 7, 8], [3, 4, 0]]
    assert len(calibration_rows(documents, eot_id=0, length=3, rows=2)) == 2


def test_too_little_text_is_refused():
    with pytest.raises(DataError, match="fills a row of 9 tokens"):
        calibration_rows([document("zh", [1, 2])], eot_id=0, length=9, rows=1)
