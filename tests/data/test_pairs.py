"""Pairs are read as they stand, packed without loss, and ordered by (seed, step) alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hanlin.data import PairBatches, TextPair, pack_pairs, read_text_pairs, write_text_pairs
from hanlin.errors import DataError
from hanlin.objectives.seq2seq import unpack_pairs

PAIRS = [TextPair("小猫来了。", "The cat came."), TextPair("你好", "Hello")]


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def rows(count: int = 10) -> np.ndarray:
    return pack_pairs([[number + 1] for number in range(count)], [[1, 3, 2]] * count)


def test_lines_with_tabs_are_read_and_further_columns_passed_over(tmp_path: Path) -> None:
    text = "小猫来了。\tThe cat came.\tCC-BY\n\n你好\tHello\r\n"
    assert read_text_pairs(write(tmp_path, "data.txt", text)) == PAIRS
    write_text_pairs(tmp_path / "again.txt", PAIRS)
    assert read_text_pairs(tmp_path / "again.txt") == PAIRS


def test_json_lines_are_read_by_their_keys(tmp_path: Path) -> None:
    text = '{"zh": "小猫来了。", "en": "The cat came."}\n{"zh": "你好", "en": "Hello"}\n'
    path = write(tmp_path, "data.jsonl", text)
    assert read_text_pairs(path) == PAIRS
    assert read_text_pairs(path, source="en", target="zh")[1] == TextPair("Hello", "你好")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("data.txt", "a\tb\nno tab here\n", "line 2 holds no pair"),
        ("data.txt", "a\t \n", "a text is empty"),
        ("data.txt", "\n", "holds no pair"),
        ("data.jsonl", '{"zh": "a"}\n', "line 1 holds no pair"),
        ("data.jsonl", '{"zh": "a", "en": 3}\n', "no text"),
        ("data.jsonl", "[]\n", "line 1 holds no pair"),
    ],
)
def test_a_line_without_a_pair_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_text_pairs(write(tmp_path, name, text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Cannot read pairs"):
        read_text_pairs(tmp_path / "none.txt")


def test_a_packed_pair_comes_out_as_it_went_in() -> None:
    sources, targets = [[5, 6, 7], [8], [9, 9]], [[1, 2], [1, 4, 4, 4, 2], [1, 6, 2]]
    batch = unpack_pairs(torch.from_numpy(pack_pairs(sources, targets)))
    for number, (source, target) in enumerate(zip(sources, targets, strict=True)):
        kept = batch.targets[number] > 0
        assert batch.source[number][batch.source[number] > 0].tolist() == source
        assert batch.inputs[number][kept].tolist() == target[:-1]
        assert batch.targets[number][kept].tolist() == target[1:]
    assert batch.source.shape == (3, 3) and batch.targets.shape == (3, 4)


def test_a_decoder_never_reads_the_end_marker() -> None:
    batch = unpack_pairs(torch.from_numpy(pack_pairs([[5], [6]], [[1, 7, 7, 2], [1, 2]])))
    assert not bool((batch.inputs == 2).any())
    assert batch.inputs.tolist() == [[1, 7, 7], [1, 0, 0]]


@pytest.mark.parametrize(
    ("sources", "targets", "message"),
    [
        ([[]], [[1, 2]], "Pair 0 cannot be learnt"),
        ([[5]], [[1]], "both markers"),
        ([[5, 0]], [[1, 2]], "id 0 is padding"),
        ([[5]], [], "1 sources and 0 targets"),
        ([], [], "at least one"),
    ],
)
def test_a_pair_that_cannot_be_learnt_is_refused(
    sources: list[list[int]], targets: list[list[int]], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        pack_pairs(sources, targets)


def test_an_epoch_holds_every_pair_once_and_the_next_is_in_another_order() -> None:
    batches = PairBatches(rows(), rows_per_step=5, seed=1)
    epochs = [
        np.concatenate([batches.batch(2 * epoch), batches.batch(2 * epoch + 1)])[:, 1].tolist()
        for epoch in range(3)
    ]
    assert all(sorted(epoch) == list(range(1, 11)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    batches = PairBatches(rows(), rows_per_step=4, seed=1)
    seen = [batches.batch(step) for step in range(6)]
    again = PairBatches(rows(), rows_per_step=4, seed=1)
    assert all(np.array_equal(again.batch(step), seen[step]) for step in (5, 0, 3))
    assert not np.array_equal(PairBatches(rows(), 4, seed=2).batch(0), seen[0])


def test_processes_share_a_batch_in_order() -> None:
    batches = PairBatches(rows(), rows_per_step=4, seed=1)
    shares = [batches.batch(3, rank, 2) for rank in range(2)]
    assert np.array_equal(np.concatenate(shares), batches.batch(3))
    with pytest.raises(DataError, match="cannot be shared by 3"):
        batches.batch(0, 0, 3)


def test_the_fingerprint_follows_the_pairs() -> None:
    same, other = PairBatches(rows(), 2, 1), PairBatches(rows(9), 2, 1)
    assert same.fingerprint == PairBatches(rows(), 5, 3).fingerprint != other.fingerprint
