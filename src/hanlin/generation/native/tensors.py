"""Tensors of a released folder as numpy arrays: read with the suspicion of `hanlin.models.weights`.

The same names, shapes, types and fingerprint are checked, without torch. bfloat16, which numpy has
not, comes as its 16 bits in uint16. Arrays lie in the file, mapped into memory, so that what is
read once is copied once. Fingerprints are taken by another thread while the arrays are used.

    python -m hanlin.generation.native.tensors FOLDER
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from hanlin.errors import ModelError
from hanlin.models.names import is_derived
from hanlin.models.weight_index import ANEW, DIGEST, check_names, find_tensors, full_name

__all__ = ["Stored", "read_arrays"]

_KINDS: dict[str, tuple[Any, str]] = {
    "F32": (np.float32, "torch.float32"),
    "F16": (np.float16, "torch.float16"),
    "BF16": (np.uint16, "torch.bfloat16"),
    "I8": (np.int8, "torch.int8"),
    "U8": (np.uint8, "torch.uint8"),
}
"""Types of safetensors that are read: numpy's, and the name that stands in a fingerprint."""

_NUMBERS = ("F32", "F16", "BF16")


@dataclass(frozen=True, slots=True)
class Stored:
    """One tensor as it is stored."""

    array: NDArray[Any]
    kind: str
    """The type by its name in safetensors."""


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    tensors: dict[str, Stored]
    stated: str | None
    """The fingerprint in the header."""


@contextmanager
def read_arrays(
    folder: Path, expected: Mapping[str, tuple[int, ...]], codes: Mapping[str, str]
) -> Iterator[dict[str, Stored]]:
    """Read the tensors named in `expected`, which the folder must hold in these shapes.

    `codes` names those that are integers, and of which type; all others are numbers. Whether they
    were altered is known when the context is left, which raises if they were, whatever else was
    found wrong with them.

    Raises:
        ModelError: tensors are missing, left over, of another shape or type, or altered; or the
            folder holds only a pickle.
    """
    places = find_tensors(folder)
    names = {full_name(stored, expected): stored for stored in places if not is_derived(stored)}
    check_names(folder, set(names), set(expected), tied="lm_head.weight" not in expected)
    files = {file: _read_file(folder / file) for file in sorted(set(places.values()))}
    with _unaltered(list(files.values())):
        found = {name: files[places[names[name]]].tensors[names[name]] for name in expected}
        _check(found, expected, codes, {name: folder / places[names[name]] for name in found})
        yield found


def _check(
    found: Mapping[str, Stored],
    expected: Mapping[str, tuple[int, ...]],
    codes: Mapping[str, str],
    places: Mapping[str, Path],
) -> None:
    for name, tensor in found.items():
        where = f"{name} in {places[name]}"
        if tensor.array.shape != expected[name]:
            raise ModelError(
                f"{where} has the shape {tensor.array.shape}, but config.json asks for "
                f"{expected[name]}. The two files belong to different models. {ANEW}"
            )
        kinds = (codes[name],) if name in codes else _NUMBERS
        if tensor.kind not in kinds:
            raise ModelError(
                f"{where} is of the type {tensor.kind}, where {' or '.join(kinds)} must be. {ANEW}"
            )


@contextmanager
def _unaltered(files: Sequence[_File]) -> Iterator[None]:
    """Take fingerprints meanwhile; raise ModelError at the end for one that is not as stated."""
    altered: list[Path] = []

    def compare() -> None:
        stated = [file for file in files if file.stated is not None]
        altered.extend(file.path for file in stated if file.stated != _digest(file.tensors))

    thread = Thread(target=compare, name="hanlin-fingerprints")
    thread.start()
    try:
        yield
    finally:
        thread.join()
        if altered:
            raise ModelError(
                f"{altered[0]} was altered: the SHA-256 of its tensors is not the one in its "
                f"header. {ANEW}"
            )


def _read_file(path: Path) -> _File:
    header, start = _read_header(path)
    stated = (header.pop("__metadata__", None) or {}).get(DIGEST)
    data: NDArray[np.uint8] = np.zeros(0, dtype=np.uint8)
    if path.stat().st_size > start:
        data = np.memmap(path, dtype=np.uint8, mode="r", offset=start)
    return _File(path, dict(_cut(path, header, data)), stated)


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """Return the header, once the library has found it and the file's length to be right."""
    try:
        with safe_open(path, framework="np"):
            pass
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            return json.loads(file.read(size)), 8 + size
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"{path} is truncated or altered: {error}. {ANEW}") from error


def _cut(
    path: Path, header: Mapping[str, Any], data: NDArray[np.uint8]
) -> Iterator[tuple[str, Stored]]:
    for name, entry in header.items():
        kind, (begin, end) = entry["dtype"], entry["data_offsets"]
        if kind not in _KINDS:
            raise ModelError(
                f"{name} in {path} is of the type {kind}, which the native engine does not read. "
                "Generate with --engine torch, or release the model in float32."
            )
        # A view of bytes need not begin at a multiple of its type's size; numpy allows that.
        array = data[begin:end].view(_KINDS[kind][0])
        yield name, Stored(array.reshape(entry["shape"]), kind)


def _digest(tensors: Mapping[str, Stored]) -> str:
    """Return what `hanlin.models.weights.digest_tensors` does."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}{_KINDS[tensor.kind][1]}{tensor.array.shape}".encode())
        digest.update(np.ascontiguousarray(tensor.array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


if __name__ == "__main__":
    import sys

    for file in sorted(Path(sys.argv[1]).glob("*.safetensors")):
        for tensor_name, tensor in _read_file(file).tensors.items():
            print(tensor_name, tensor.kind, tensor.array.shape)
