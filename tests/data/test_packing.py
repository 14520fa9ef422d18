"""Rows: nothing lost, nothing twice, padding without loss."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.data import PADDING, DocumentRows, StreamRows, TokenStream, pack_best_fit, rows_of
from hanlin.data.shards import DOCUMENT
from hanlin.errors import DataError


def _stream(lengths: list[int]) -> TokenStream:
    """Documents 0 1 2 .., 0 1 2 ..: each begins with 0 and counts on over the whole stream."""
    tokens, documents = [], []
    for length in lengths:
        documents.append((len(tokens), length, b"en"))
        tokens += [0, *range(len(tokens) + 1, len(tokens) + length)]
    pieces = np.array_split(np.array(tokens, dtype=np.uint16), 3)
    return TokenStream("s", tuple(pieces), np.array(documents, dtype=DOCUMENT), len(tokens))


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=60))
def test_best_fit_packs_every_item_once_within_capacity(lengths: list[int]) -> None:
    bins = pack_best_fit(lengths, 50)
    assert sorted(item for row in bins for item in row) == list(range(len(lengths)))
    assert all(sum(lengths[item] for item in row) <= 50 for row in bins)


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_document_rows_hold_every_token_once_and_begin_with_a_piece(lengths: list[int]) -> None:
    stream = _stream(lengths)
    rows = DocumentRows.pack(stream, 16)
    read = [rows.row(number, 0) for number in range(rows.num_rows)]
    inputs = np.concatenate([row[:-1] for row in read])
    whole = stream.read(0, stream.num_tokens)
    real = inputs[(inputs > 0)]
    assert sorted(real.tolist()) == sorted(whole[whole > 0].tolist())
    assert all(row[0] != PADDING and len(row) == 17 for row in read)


def test_the_last_document_of_a_row_learns_to_end() -> None:
    rows = DocumentRows.pack(_stream([5, 5, 5]), 8)
    row = rows.row(0, 0)
    assert row[5] == 0
    assert (row[6:] == PADDING).all()


def test_stream_rows_cover_the_stream_from_a_place_that_moves_with_the_epoch() -> None:
    rows = StreamRows(_stream([100]), 8)
    starts = {int(rows.row(0, key)[0]) for key in range(40)}
    assert len(starts) > 3
    for key in (1, 2):
        tokens = np.concatenate([rows.row(n, key)[:-1] for n in range(rows.num_rows)])
        assert (np.diff(tokens.astype(int)) == 1).all()
        assert len(tokens) > 100 - 2 * 8


def test_reading_crosses_shard_borders() -> None:
    stream = _stream([90])
    assert stream.read(25, 10).tolist() == list(range(25, 35))
    assert stream.read(85, 10).tolist() == list(range(85, 90))


def test_a_stream_shorter_than_the_context_is_refused() -> None:
    with pytest.raises(DataError, match="fewer than the context_length 64"):
        rows_of(_stream([30]), 64, "stream")
