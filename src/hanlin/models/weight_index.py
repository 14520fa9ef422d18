"""Which file of a folder holds which tensor, and whether the names are those that are needed.

The names alone are read here, without torch, so that a program that has no use for it need not wait
for it.

    python -m hanlin.models.weight_index FOLDER
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open

from hanlin.errors import ModelError

__all__ = ["ANEW", "DIGEST", "INDEX", "SINGLE", "check_names", "find_tensors", "full_name"]

SINGLE, INDEX, DIGEST = "model.safetensors", "model.safetensors.index.json", "sha256"
ANEW = "Copy the folder anew from where it came from."
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def find_tensors(folder: Path) -> dict[str, str]:
    """Return the file of each stored tensor."""
    index, single = folder / INDEX, folder / SINGLE
    if single.is_file():
        return dict.fromkeys(_stored_names(single), SINGLE)
    if not index.is_file():
        raise ModelError(_nothing_to_read(folder))
    try:
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        shards = {str(file) for file in places.values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{index} cannot be read: {error}. {ANEW}") from error
    outside = [file for file in shards if Path(file).name != file]
    missing = [file for file in sorted(shards) if not (folder / file).is_file()]
    if outside or missing:
        raise ModelError(f"{index} names {(outside or missing)[0]}, not in {folder}. {ANEW}")
    return {name: file for file in sorted(shards) for name in _stored_names(folder / file)}


def _stored_names(path: Path) -> list[str]:
    try:
        with safe_open(path, framework="np") as file:
            return list(file.keys())
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} is truncated or altered: {error}. {ANEW}") from error


def _nothing_to_read(folder: Path) -> str:
    pickles = sorted(file.name for pattern in _PICKLES for file in folder.glob(pattern))
    if not pickles:
        return f"{folder} holds no weights: {SINGLE} is missing. {ANEW}"
    return (
        f"{folder} holds its weights only as {pickles[0]}, a pickle, which can run any code when "
        "it is opened and is never read here. Take the model's safetensors version, or convert it "
        "where you trust it: AutoModelForCausalLM.from_pretrained(A).save_pretrained(B)."
    )


def full_name(stored: str, expected: Mapping[str, tuple[int, ...]]) -> str:
    """Return a stored name with the prefix that folders of a bare model (gpt2's own) leave out."""
    for prefix in ("transformer.", "model."):
        if stored not in expected and prefix + stored in expected:
            return prefix + stored
    return stored


def check_names(folder: Path, found: set[str], expected: set[str], *, tied: bool) -> None:
    """Raise ModelError unless the names found are those that are needed."""
    missing = sorted(expected - found)
    surplus = sorted(found - expected - ({"lm_head.weight"} if tied else set()))
    if missing or surplus:
        kind, names = ("lack", missing) if missing else ("hold, against config.json,", surplus)
        raise ModelError(
            f"The weights in {folder} {kind} {len(names)} tensors, {names[0]} the first. {ANEW}"
        )


if __name__ == "__main__":
    import sys

    for name, file in find_tensors(Path(sys.argv[1])).items():
        print(file, name)
