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
from hanlin.records import write_json

__all__ = ["digest_tensors", "read_tensors", "read_weights", "write_tensors", "write_weights"]

MAX_SHARD_BYTES = 2 * 10**9
"""The size above which weights are written in several files."""

_SINGLE, _INDEX, _DIGEST = "model.safetensors", "model.safetensors.index.json", "sha256"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_ANEW = "Copy the folder anew from where it came from."


def write_weights(
    folder: Path, tensors: Mapping[str, Tensor], *, max_bytes: int = MAX_SHARD_BYTES
) -> None:
    """Write tensors into a fresh folder, in shards of at most `max_bytes` or one tensor."""
    shards = _shards(tensors, max_bytes)
    if len(shards) == 1:
        write_tensors(folder / _SINGLE, shards[0])
        return
    places: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        write_tensors(folder / name, shard)
        places |= dict.fromkeys(shard, name)
    total = sum(tensor.nbytes for tensor in tensors.values())
    write_json(folder / _INDEX, {"metadata": {"total_size": total}, "weight_map": places})


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
    places = _places(folder)
    names = {_full_name(stored, expected): stored for stored in places if not is_derived(stored)}
    _check_names(folder, set(names), set(expected), tied="lm_head.weight" not in expected)
    tensors: dict[str, Tensor] = {}
    for file in sorted(set(places.values())):
        held = {full: stored for full, stored in names.items() if places[stored] == file}
        tensors |= _read_file(folder / file, held, expected, codes or {})
    return tensors


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write one file of tensors with their SHA-256 in its header; equal tensors, equal bytes."""
    metadata = {"format": "pt", _DIGEST: digest_tensors(tensors)}
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
        raise ModelError(f"{path} is truncated or altered: {error}. {_ANEW}") from error
    if _DIGEST in metadata and metadata[_DIGEST] != digest_tensors(stored):
        raise ModelError(
            f"{path} was altered: the SHA-256 of its tensors is not the one in its header. {_ANEW}"
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
                f"{expected[name]}. The two files belong to different models. {_ANEW}"
            )
        if name in codes and tensor.dtype != codes[name]:
            raise ModelError(
                f"{name} in {path} is {tensor.dtype}, where codes of type {codes[name]} must be. "
                f"{_ANEW}"
            )
        if name not in codes and not tensor.is_floating_point():
            raise ModelError(
                f"{name} in {path} is {tensor.dtype}: quantised weights cannot be read here. "
                "Take the model's folder in float32, float16 or bfloat16."
            )
    return tensors


def _places(folder: Path) -> dict[str, str]:
    """Return the file of each stored tensor."""
    index, single = folder / _INDEX, folder / _SINGLE
    if single.is_file():
        return dict.fromkeys(_stored_names(single), _SINGLE)
    if not index.is_file():
        raise ModelError(_nothing_to_read(folder))
    try:
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        shards = {str(file) for file in places.values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{index} cannot be read: {error}. {_ANEW}") from error
    outside = [file for file in shards if Path(file).name != file]
    missing = [file for file in sorted(shards) if not (folder / file).is_file()]
    if outside or missing:
        raise ModelError(f"{index} names {(outside or missing)[0]}, not in {folder}. {_ANEW}")
    return {name: file for file in sorted(shards) for name in _stored_names(folder / file)}


def _stored_names(path: Path) -> list[str]:
    try:
        with safe_open(path, framework="pt") as file:
            return list(file.keys())
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} is truncated or altered: {error}. {_ANEW}") from error


def _nothing_to_read(folder: Path) -> str:
    pickles = sorted(file.name for pattern in _PICKLES for file in folder.glob(pattern))
    if not pickles:
        return f"{folder} holds no weights: {_SINGLE} is missing. {_ANEW}"
    return (
        f"{folder} holds its weights only as {pickles[0]}, a pickle, which can run any code when "
        "it is opened and is never read here. Take the model's safetensors version, or convert it "
        "where you trust it: AutoModelForCausalLM.from_pretrained(A).save_pretrained(B)."
    )


def _full_name(stored: str, expected: Mapping[str, tuple[int, ...]]) -> str:
    """Return a stored name with the prefix that folders of a bare model (gpt2's own) leave out."""
    for prefix in ("transformer.", "model."):
        if stored not in expected and prefix + stored in expected:
            return prefix + stored
    return stored


def _check_names(folder: Path, found: set[str], expected: set[str], *, tied: bool) -> None:
    missing = sorted(expected - found)
    surplus = sorted(found - expected - ({"lm_head.weight"} if tied else set()))
    if missing or surplus:
        kind, names = ("lack", missing) if missing else ("hold, against config.json,", surplus)
        raise ModelError(
            f"The weights in {folder} {kind} {len(names)} tensors, {names[0]} the first. {_ANEW}"
        )


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
