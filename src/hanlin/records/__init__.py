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
from hanlin.records.lock import hold_folder, is_held

__all__ = [
    "append_jsonl",
    "atomic_directory",
    "atomic_file",
    "flush",
    "hold_folder",
    "is_held",
    "read_jsonl",
    "sha256_file",
    "sha256_json",
    "truncate_jsonl",
    "write_bytes",
    "write_json",
    "write_text",
]
