"""The ledger: every claim beside its control, its values and its verdict; lines are only added.

A run writes what it measured with the verdict *not tested*; a proof writes *held* or *failed*, on
all its seeds, and a failed claim stays as visible as one that held. The same claim about the same
inputs is written once. A later line about the same claim stands before the earlier ones:
`newest_claims` keeps the last of each.

    python -m hanlin.records.ledger
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

from hanlin.records.jsonl import append_jsonl, read_jsonl

__all__ = ["LedgerEntry", "Verdict", "newest_claims", "read_ledger", "write_claim"]

Verdict = Literal["held", "failed", "not tested"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One claim, what it was measured by, and what came of it."""

    claim: str
    """A plain sentence that can be wrong."""
    stage: str = ""
    """The stage that it is about."""
    metric: str
    """What was measured, as a dotted path into result.json."""
    control: str
    """What it is measured against, in words."""
    control_values: tuple[float, ...]
    """The control's values, a seed each, or one."""
    values: tuple[float, ...]
    """The values, a seed each."""
    seeds: tuple[int, ...] = ()
    spread: float | None = None
    """The larger standard deviation over the seeds; none for a single one."""
    threshold: str
    """When the claim holds, in words."""
    verdict: Verdict = "not tested"
    command: str = ""
    """The command that measures it again."""
    flops: float = 0.0
    """Operations spent on it."""
    inputs: str = ""
    """The fingerprint of all that the values follow from."""
    time: str = ""
    """When it was written."""

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as JSON values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Self:
        """Take back what `as_dict` gave."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in record.items()
        }
        return cls(**values)


def read_ledger(path: Path) -> list[LedgerEntry]:
    """Return the entries of a ledger, oldest first."""
    return [LedgerEntry.from_dict(record) for record in read_jsonl(path)]


def write_claim(path: Path, entry: LedgerEntry) -> bool:
    """Append an entry with the time; return False where the same one stands there already."""
    if any(_key(old) == _key(entry) for old in read_ledger(path)):
        return False
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    append_jsonl(path, replace(entry, time=now).as_dict())
    return True


def newest_claims(entries: Iterable[LedgerEntry]) -> list[LedgerEntry]:
    """Return the last word on each claim, in the order in which the claims came up."""
    found: dict[tuple[str, str, str], LedgerEntry] = {}
    for entry in entries:
        found[entry.stage, entry.claim, entry.metric] = entry
    return list(found.values())


def _key(entry: LedgerEntry) -> tuple[str, ...]:
    """Return what makes two entries the same; when and by which command is no part of it."""
    return (entry.stage, entry.claim, entry.metric, entry.control, entry.verdict, entry.inputs)


if __name__ == "__main__":
    import tempfile

    ledger = Path(tempfile.mkdtemp()) / "ledger.jsonl"
    note = LedgerEntry(
        claim="The model predicts held-out English better than the n-gram baseline",
        stage="base",
        metric="evaluation.test.en.bits_per_byte",
        control="n-gram of order 5",
        control_values=(1.9,),
        values=(1.4,),
        seeds=(1,),
        threshold="below the control by more than twice the seeds' spread",
    )
    print(write_claim(ledger, note), write_claim(ledger, note), read_ledger(ledger))
