"""Where a smaller model goes: a folder that is whole or absent, and never somebody else's.

`compression.json` beside the model says what made it from what. A folder is written over only if it
is empty or holds that file, of the same verb.

    python -m hanlin.compression.output
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hanlin.errors import UserError
from hanlin.records import write_json

__all__ = ["RECORD", "check_output", "folder_bytes", "weight_bytes", "write_record"]

RECORD = "compression.json"


def check_output(out: Path, verb: str, *, original: Path | None = None) -> None:
    """Raise UserError unless `out` is absent, empty or of the same verb's making.

    It may not lie inside the `original` either.
    """
    if original is not None and original.resolve() in out.resolve().parents:
        raise UserError(f"{out} lies inside the model's own folder. Name a place outside of it.")
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if _made_by(out) == verb:
        return
    raise UserError(
        f"{out} exists, and `hanlin {verb}` did not make it, so it is not written over. "
        "Name another place, or remove it first."
    )


def write_record(target: Path, verb: str, original: Path, settings: dict[str, Any]) -> None:
    """Write into a fresh folder what made it."""
    record = {"verb": verb, "original": str(original), "settings": settings}
    write_json(target / RECORD, record)


def weight_bytes(folder: Path) -> int:
    """Return the bytes of a folder's files of weights: codes, scales, headers, all of it."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _made_by(out: Path) -> str:
    try:
        record = json.loads((out / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(record.get("verb", "")) if isinstance(record, dict) else ""


if __name__ == "__main__":
    check_output(Path("nowhere"), "quantize")
    print("nowhere may be written")
