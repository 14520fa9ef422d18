"""What a run leaves behind: atomic files, logs of JSON lines, and the lock on its folder."""

from hanlin.records.atomic import (
    atomic_directory,
    atomic_file,
    flush,
    sha256_file,
    sha256_json,
    write_bytes,
    write_json,
    write_text,
)
from hanlin.records.jsonl import append_jsonl, read_jsonl, truncate_jsonl
from hanlin.records.ledger import (
    LedgerEntry,
    Verdict,
    newest_claims,
    read_ledger,
    write_claim,
)
from hanlin.records.lock import hold_folder, is_held

__all__ = [
    "LedgerEntry",
    "Verdict",
    "append_jsonl",
    "atomic_directory",
    "atomic_file",
    "flush",
    "hold_folder",
    "is_held",
    "newest_claims",
    "read_jsonl",
    "read_ledger",
    "sha256_file",
    "sha256_json",
    "truncate_jsonl",
    "write_bytes",
    "write_claim",
    "write_json",
    "write_text",
]
