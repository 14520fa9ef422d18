"""Files of weights: safetensors, in one file or in shards, checked before they are believed.

safetensors (github.com/huggingface/safetensors) holds a JSON header and raw tensors; reading it
runs no code. transformers asks for {"format": "pt"} in the header. Beside it stands a SHA-256 over
the names, shapes and bytes of the file's tensors, which is compared where it is found.

    python -m hanlin.models.weights
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from hanlin.errors import ModelError
from hanlin.models.names import is_derived
from hanlin.models.weight_index import (
    ANEW,
    DIGEST,
    INDEX,
    SINGLE,
    check_names,
    find_tensors,
    full_name,
)
from hanlin.records import write_json

__all__ = ["digest_tensors", "read_tensors", "read_weights", "write_tensors", "write_weights"]

MAX_SHARD_BYTES = 2 * 10**9
"""The size above which weights are written in several files."""


def write_weights(
    folder: Path, tensors: Mapping[str, Tensor], *, max_bytes: int = MAX_SHARD_BYTES
) -> None:
    """Write tensors into a fresh folder, in shards of at most `max_bytes` or one tensor."""
    shards = _shards(tensors, max_bytes)
    if len(shards) == 1:
        write_tensors(folder / SINGLE, shards[0])
        return
    places: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        write_tensors(folder / name, shard)
        places |= dict.fromkeys(shard, name)
    total = sum(tensor.nbytes for tensor in tensors.values())
    write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": places})


def read_weights(
    folder: Path,
    expected: Mapping[str, tuple[int, ...]],
    *,
    codes: Mapping[str, torch.dtype] | None = None,
) -> dict[str, Tensor]:
    """Read the tensors named in `expected` from a folder, which must hold them in these shapes.

    `codes` names those that are integers, and of which type; all others are floating-point.

    Raises:
        ModelError: if tensors are missing, left over, of another shape, or altered; or if the
            folder holds only a pickle.
    """
    places = find_tensors(folder)
    names = {full_name(stored, expected): stored for stored in places if not is_derived(stored)}
    check_names(folder, set(names), set(expected), tied="lm_head.weight" not in expected)
    tensors: dict[str, Tensor] = {}
    for file in sorted(set(places.values())):
        held = {full: stored for full, stored in names.items() if places[stored] == file}
        tensors |= _read_file(folder / file, held, expected, codes or {})
    return tensors


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write one file of tensors with their SHA-256 in its header; equal tensors, equal bytes."""
    metadata = {"format": "pt", DIGEST: digest_tensors(tensors)}
    save_file(dict(tensors), path, metadata=metadata)
    _sort_header(path)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of one file.

    Raises:
        ModelError: if the file cannot be read, or was altered.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} is truncated or altered: {error}. {ANEW}") from error
    if DIGEST in metadata and metadata[DIGEST] != digest_tensors(stored):
        raise ModelError(
            f"{path} was altered: the SHA-256 of its tensors is not the one in its header. {ANEW}"
        )
    return stored


def digest_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over the names, types, shapes and bytes of tensors."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _sort_header(path: Path) -> None:
    """Rewrite a file's header with its keys in order, which the library leaves to chance.

    Equal weights are then equal files, byte for byte; the order of keys changes no length.
    """
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        text = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        encoded = text.encode("utf-8")
        assert len(encoded) <= size, (len(encoded), size)
        file.seek(8)
        file.write(encoded.ljust(size))


def _read_file(
    path: Path,
    held: Mapping[str, str],
    expected: Mapping[str, tuple[int, ...]],
    codes: Mapping[str, torch.dtype],
) -> dict[str, Tensor]:
    stored = read_tensors(path)
    tensors = {full: stored[name] for full, name in held.items() if full in expected}
    for name, tensor in tensors.items():
        if tuple(tensor.shape) != expected[name]:
            raise ModelError(
                f"{name} in {path} has the shape {tuple(tensor.shape)}, but config.json asks for "
                f"{expected[name]}. The two files belong to different models. {ANEW}"
            )
        if name in codes and tensor.dtype != codes[name]:
            raise ModelError(
                f"{name} in {path} is {tensor.dtype}, where codes of type {codes[name]} must be. "
                f"{ANEW}"
            )
        if name not in codes and not tensor.is_floating_point():
            raise ModelError(
                f"{name} in {path} is {tensor.dtype}: quantised weights cannot be read here. "
                "Take the model's folder in float32, float16 or bfloat16."
            )
    return tensors


def _shards(tensors: Mapping[str, Tensor], max_bytes: int) -> list[dict[str, Tensor]]:
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in tensors.items():
        if shards[-1] and size + tensor.nbytes > max_bytes:
            shards.append({})
            size = 0
        shards[-1][name] = tensor
        size += tensor.nbytes
    return shards


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        write_weights(Path(directory), {"a": torch.ones(2), "b": torch.ones(3)}, max_bytes=8)
        print(sorted(file.name for file in Path(directory).iterdir()))
        print(read_weights(Path(directory), {"a": (2,), "b": (3,)}))
