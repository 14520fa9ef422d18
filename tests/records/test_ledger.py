from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hanlin.records import LedgerEntry, newest_claims, read_ledger, write_claim

ENTRY = LedgerEntry(
    claim="It is better",
    stage="base",
    metric="evaluation.test.zh.bits_per_byte",
    control="n-gram",
    control_values=(1.9, 1.8),
    values=(1.4, 1.5),
    seeds=(1, 2),
    spread=0.07,
    threshold="lower",
    verdict="held",
    inputs="abc",
)


def test_an_entry_survives_json() -> None:
    assert LedgerEntry.from_dict(json.loads(json.dumps(ENTRY.as_dict()))) == ENTRY


def test_the_same_claim_about_the_same_inputs_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    assert write_claim(path, ENTRY)
    assert not write_claim(path, replace(ENTRY, command="another", time="later"))
    assert len(read_ledger(path)) == 1
    assert read_ledger(path)[0].time


@pytest.mark.parametrize("change", [{"inputs": "other"}, {"verdict": "failed"}, {"stage": "more"}])
def test_lines_are_added_and_none_is_taken_away(tmp_path: Path, change: dict[str, str]) -> None:
    path = tmp_path / "ledger.jsonl"
    write_claim(path, ENTRY)
    first = path.read_text()
    assert write_claim(path, replace(ENTRY, **change))  # type: ignore[arg-type]
    assert path.read_text().startswith(first)
    assert len(read_ledger(path)) == 2


def test_the_last_word_on_a_claim_counts() -> None:
    untested = replace(ENTRY, verdict="not tested")
    other = replace(ENTRY, claim="It is smaller")
    assert newest_claims([untested, other, ENTRY]) == [ENTRY, other]
