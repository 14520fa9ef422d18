"""Logs of one JSON object a line: metrics, events, the ledger.

A line is appended with one write(2) call, so that a crash can only cut the last one; reading drops
a cut last line. After a resumption, `truncate_jsonl` takes away the lines of steps that will be
done again, so that the file of a resumed run equals that of an uninterrupted one.

    python -m hanlin.records.jsonl
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hanlin.records.atomic import write_text

__all__ = ["append_jsonl", "read_jsonl", "truncate_jsonl"]

Record = dict[str, Any]


def append_jsonl(path: Path, record: Record) -> None:
    """Append one object as one line; a cut last line that a crash left is closed off first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(record, ensure_ascii=False) + "\n"
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = "\n" + line
        os.write(descriptor, line.encode("utf-8"))
    finally:
        os.close(descriptor)


def read_jsonl(path: Path) -> Iterator[Record]:
    """Yield the objects of a log; lines that are not whole JSON objects are passed over."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(record, dict):
                yield record


def truncate_jsonl(path: Path, keep: Callable[[Record], bool]) -> None:
    """Rewrite a log atomically with only the records that `keep` accepts."""
    if not path.exists():
        return
    lines = [json.dumps(record, ensure_ascii=False) for record in read_jsonl(path) if keep(record)]
    write_text(path, "".join(line + "\n" for line in lines))


if __name__ == "__main__":
    import tempfile

    log = Path(tempfile.mkdtemp()) / "metrics.jsonl"
    for step in range(3):
        append_jsonl(log, {"step": step, "loss": 9.0 - step})
    truncate_jsonl(log, lambda record: record["step"] < 2)
    print(list(read_jsonl(log)))
