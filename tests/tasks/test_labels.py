"""Labelled texts: what is kept apart, what is cut, and what is refused or counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hanlin.config import HeadConfig, TaskConfig, WorldConfig
from hanlin.errors import DataError
from hanlin.tasks import LabelSet, encode_text, gather_labels
from hanlin.tokenizers import Tokenizer


def write(folder: Path, records: list[Any]) -> Path:
    path = folder / "labelled.jsonl"
    path.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in records), "utf-8")
    return path


def gather(
    path: Path, tokenizer: Tokenizer, *, length: int = 32, skip: bool = False, **head: Any
) -> LabelSet:
    policy = {"on_error": "skip"} if skip else {}
    config = TaskConfig(name="mood", path=str(path), head=HeadConfig(**head), **policy)
    return gather_labels(config, tokenizer, length, num_held_out=100, first=600)


def reviews(number: int) -> list[dict[str, Any]]:
    return [{"text": f"小猫看见{n}条鱼。", "label": n % 3} for n in range(number)]


def test_three_parts_share_no_text_and_whole_numbers_are_labels(
    bpe: Tokenizer, tmp_path: Path
) -> None:
    records = reviews(100)
    found = gather(write(tmp_path, [*records, *records]), bpe)
    assert found.labels == ("0", "1", "2")
    test = [example.text for group in found.held_out.values() for example in group]
    fitted = [example.text for example in found.calibration]
    assert len(set(test)) == len(set(fitted)) == 10
    assert not set(test) & set(fitted)
    assert found.rows.num_examples == sum(found.counts) == 160
    again = gather(write(tmp_path, [*records[::-1], *records]), bpe)
    assert {e.text for e in again.calibration} == set(fitted)


def test_a_long_text_is_cut_and_counted_and_of_a_pair_the_longer_one_first(
    bpe: Tokenizer, tmp_path: Path
) -> None:
    records = [*reviews(12), {"text": "小猫看见小狗。" * 40, "label": 1}]
    found = gather(write(tmp_path, records), bpe, length=32)
    assert found.cut + sum(len(e.text) > 100 for e in found.calibration) <= 1
    long, short = "小猫看见小狗。" * 40, "小狗"
    ids, cut = encode_text(bpe, long, short, 32)
    assert len(ids) == 32
    assert cut == len(bpe.encode(long)) + len(bpe.encode(short)) - 30
    assert ids[-len(bpe.encode(short)) :] == bpe.encode(short)
    assert ids[0] == bpe.eot_id
    assert bpe.control["<|sep|>"] in ids
    both, _ = encode_text(bpe, long, long, 32)
    assert (len(both), both.index(bpe.control["<|sep|>"])) == (32, 16)
    assert encode_text(bpe, short, "", 32) == ([bpe.eot_id, *bpe.encode(short)], 0)


def test_bad_records_are_refused_by_name_or_left_out_and_counted(
    bpe: Tokenizer, tmp_path: Path
) -> None:
    bad = [{"text": " ", "label": 1}, {"text": "小猫"}, {"label": 1}, {"text": 5, "label": 1}]
    path = write(tmp_path, [*reviews(20), *bad])
    with pytest.raises(DataError, match=r"line 21: the field 'text' is blank"):
        gather(path, bpe)
    assert gather(path, bpe, skip=True).skipped["unreadable"] == 4
    with pytest.raises(DataError, match=r"None of the 24 records.*head\.label"):
        gather(path, bpe, skip=True, label="mood")


def test_a_label_that_training_never_shows_is_refused_or_counted(
    bpe: Tokenizer, tmp_path: Path
) -> None:
    first = gather(write(tmp_path, reviews(40)), bpe)
    apart = {example.text for group in first.held_out.values() for example in group}
    records = [{**one, "label": "rare" if one["text"] in apart else "usual"} for one in reviews(40)]
    records[0]["label"] = records[1]["label"] = "seldom"
    path = write(tmp_path, records)
    with pytest.raises(DataError, match=r"The label 'rare'.*no node would learn it"):
        gather(path, bpe)
    assert gather(path, bpe, skip=True).skipped["unseen"] > 0


def test_one_label_alone_and_mixed_up_columns_are_refused(bpe: Tokenizer, tmp_path: Path) -> None:
    same = [{"text": f"小猫看见{n}条鱼。", "label": "好"} for n in range(12)]
    with pytest.raises(DataError, match="the label '好' alone"):
        gather(write(tmp_path, same), bpe)
    mixed = [{"text": f"label {n % 3}", "label": f"小猫看见{n}条鱼。"} for n in range(12)]
    with pytest.raises(DataError, match="seem to be mixed up"):
        gather(write(tmp_path, mixed), bpe)


def test_the_toy_world_says_which_fact_is_missing(bpe: Tokenizer) -> None:
    config = TaskConfig(name="missing", world=WorldConfig(stories=60), head=HeadConfig())
    found = gather_labels(config, bpe, 64, num_held_out=5, first=600)
    assert {"完整", "complete"} <= set(found.labels)
    assert set(found.held_out) == {"zh", "en"}
