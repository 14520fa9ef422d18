"""A record is found by the tokens of its row, in whatever order they are read, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hanlin.data import DocumentRows, Order, RowStore, TokenStream, hash_rows
from hanlin.data.shards import DOCUMENT
from hanlin.errors import DataError

SUMS = np.dtype([("sum", "<i8", (1,)), ("first", "<i4", (1,))])
ROWS = np.arange(40, dtype=np.int32).reshape(8, 5)


def _records(rows):
    return np.array([((int(row.sum()),), (int(row[0]),)) for row in rows], dtype=SUMS)


def _written(folder: Path) -> RowStore:
    RowStore.prepare(folder, {"what": "sums"}, SUMS, pytest.fail)
    for rows in (ROWS[:5], ROWS[5:]):
        RowStore.open(folder, SUMS).add(hash_rows(rows), _records(rows))
    return RowStore.open(folder, SUMS)


def _prepared(folder: Path, what: str = "sums") -> tuple[RowStore, list[str]]:
    said: list[str] = []
    RowStore.prepare(folder, {"what": what}, SUMS, said.append)
    return RowStore.open(folder, SUMS), said


def test_records_are_found_in_any_order(tmp_path):
    store = _written(tmp_path)
    assert store.num_bytes == 8 * SUMS.itemsize
    chosen = ROWS[[6, 0, 6, 3]]
    assert np.array_equal(store.find(chosen), _records(chosen))
    assert store.has(hash_rows(ROWS)).all()
    assert isinstance(store.blocks[0], np.memmap)


def test_a_row_that_was_never_added_is_an_error_and_not_its_neighbour(tmp_path):
    store = _written(tmp_path)
    other = ROWS + 1
    assert not store.has(hash_rows(other)).any()
    with pytest.raises(DataError, match="no record of a row"):
        store.find(other)
    with pytest.raises(DataError, match="no record of a row"):
        _prepared(tmp_path / "empty")[0].find(ROWS)


def test_what_is_whole_is_kept_and_nothing_is_said(tmp_path):
    _written(tmp_path)
    store, said = _prepared(tmp_path)
    assert not said
    assert np.array_equal(store.find(ROWS), _records(ROWS))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "bytes in place of"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"?"), "was altered"),
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.with_suffix(".json").write_text("{"), "broken description"),
        (lambda path: path.with_suffix(".json").write_text("[]"), "broken description"),
    ],
)
def test_a_damaged_block_is_named_and_its_rows_are_missing(tmp_path, damage, message):
    _written(tmp_path)
    damage(sorted(tmp_path.glob("*.npy"))[0])
    store, said = _prepared(tmp_path)
    assert len(said) == 1
    assert message in said[0]
    missing = ROWS[~store.has(hash_rows(ROWS))]
    assert len(missing) in (3, 5)
    store.add(hash_rows(missing), _records(missing))
    assert np.array_equal(_prepared(tmp_path)[0].find(ROWS), _records(ROWS))


def test_a_block_that_was_never_finished_is_not_read(tmp_path):
    _written(tmp_path)
    sorted(tmp_path.glob("*.npy"))[0].with_suffix(".json").unlink()
    store, said = _prepared(tmp_path)
    assert not said
    assert len(store.keys) in (3, 5)


def test_what_follows_from_something_else_is_made_anew(tmp_path):
    _written(tmp_path)
    store, said = _prepared(tmp_path, "products")
    assert "made from something else" in said[0]
    assert not len(store.keys)
    assert not list(tmp_path.glob("*.npy"))
    (tmp_path / "index.json").write_text("{", encoding="utf-8")
    assert _prepared(tmp_path)[1]
    assert json.loads((tmp_path / "index.json").read_text())["follows_from"] == {"what": "sums"}


def test_rows_that_begin_with_documents_are_the_same_for_every_seed_and_epoch():
    starts = [0, 7, 12, 30, 31, 44]
    documents = np.array([(start, 1, b"en") for start in starts], dtype=DOCUMENT)
    stream = TokenStream("one", (np.arange(50, dtype=np.uint16),), documents, 50)
    rows = DocumentRows.pack(stream, 16)
    order = {
        seed: Order.of({"one": rows}, weights={}, rows_per_step=rows.num_rows, seed=seed)
        for seed in (1, 2)
    }
    first = set(hash_rows(order[1].batch(0)).tolist())
    assert first == set(hash_rows(order[1].batch(3)).tolist())
    assert first == set(hash_rows(order[2].batch(1)).tolist())
