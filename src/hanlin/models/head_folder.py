"""Classification heads on disk, beside the decoder that they learnt on.

    heads/sentiment/head.json           labels by node, shape, temperature, figures, and two
                                        fingerprints: of the decoder's weights and of its own
    heads/sentiment/head.safetensors    the tensors

transformers and others read the decoder and pass these over.

    python -m hanlin.models.head_folder FOLDER
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from hanlin.config import HeadConfig, ModelConfig
from hanlin.errors import ModelError
from hanlin.models.heads import ClassifierHead, build_head
from hanlin.models.weights import digest_tensors, read_tensors, write_tensors
from hanlin.records import sha256_json, write_json

__all__ = ["ReleasedHead", "choose_head", "list_heads", "read_head", "read_heads", "write_head"]

_FOLDER, _SETTINGS, _TENSORS = "heads", "head.json", "head.safetensors"
_FORMAT = 1
_SHAPE = ("pool", "layers", "kind")


@dataclass(frozen=True)
class ReleasedHead:
    """A head as a release holds it."""

    name: str
    head: ClassifierHead = field(repr=False)
    temperature: float
    """What its logits are divided by."""
    context: int
    """Tokens of a text that it reads at most, which are those of a row that it learnt from."""
    figures: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What was measured of it."""


def list_heads(folder: Path) -> list[str]:
    """Return the names of the heads in a released folder."""
    return sorted(path.parent.name for path in (folder / _FOLDER).glob(f"*/{_SETTINGS}"))


def choose_head(folder: Path, name: str) -> str:
    """Return the name of the head that is meant; the only one need not be named.

    Raises:
        ModelError: there is no such head, or several and none is named.
    """
    found = list_heads(folder)
    if name in found or (not name and len(found) == 1):
        return name or found[0]
    if not found:
        raise ModelError(
            f"The model in {folder} was never taught to classify by a head. A stage of the kind "
            "`task` teaches it, if one of [[stages.task.tasks]] has a table `head`, for instance "
            "head = {}."
        )
    meant = f"no head {name!r}; it has" if name else "several heads:"
    raise ModelError(f"The model in {folder} has {meant} {', '.join(found)}. Name one of these.")


def write_head(folder: Path, released: ReleasedHead) -> None:
    """Put a head into a folder that holds its decoder's weights and that nobody reads yet."""
    place = folder / _FOLDER / released.name
    place.mkdir(parents=True)
    head = released.head
    tensors = {name: t.detach().cpu().contiguous() for name, t in head.state_dict().items()}
    write_tensors(place / _TENSORS, tensors)
    record = {
        "format": _FORMAT,
        "labels": list(head.labels),
        "settings": head.config.model_dump(mode="json", include=set(_SHAPE)),
        "temperature": released.temperature,
        "context": released.context,
        "decoder": _fingerprint(folder),
        "tensors": digest_tensors(tensors),
        "figures": released.figures,
    }
    write_json(place / _SETTINGS, record)


def read_head(folder: Path, name: str, shape: ModelConfig) -> ReleasedHead:
    """Read a head, which is for a decoder of `shape` with the folder's own weights.

    Raises:
        ModelError: it is damaged, or was learnt on other weights.
    """
    place = folder / _FOLDER / name
    record = _read_record(place / _SETTINGS)
    if record.get("decoder") != _fingerprint(folder):
        raise ModelError(
            f"The head {name!r} in {folder} was learnt on other weights than those of this folder, "
            "and means nothing on them. Put it back beside its own, or teach it anew."
        )
    tensors = read_tensors(place / _TENSORS)
    try:
        config = HeadConfig.model_validate(record["settings"])
        head = build_head(shape, config, [str(label) for label in record["labels"]], seed=0)
        temperature, context = float(record["temperature"]), int(record["context"])
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise ModelError(f"{place / _SETTINGS} cannot be used: {error}") from error
    expected = {key: tensor.shape for key, tensor in head.state_dict().items()}
    given = {key: tensor.shape for key, tensor in tensors.items()}
    if record.get("tensors") != digest_tensors(tensors) or expected != given:
        raise ModelError(
            f"{place / _TENSORS} does not hold the tensors that {_SETTINGS} beside it describes. "
            "Copy the folder anew from where it came from."
        )
    head.load_state_dict(tensors)
    return ReleasedHead(name, head.eval(), temperature, context, record.get("figures", {}))


def read_heads(folder: Path, shape: ModelConfig) -> list[ReleasedHead]:
    """Read all heads beside a decoder.

    Raises:
        ModelError: one is damaged, or was learnt on other weights.
    """
    return [read_head(folder, name, shape) for name in list_heads(folder)]


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} cannot be read: {error}. Copy the folder anew from where it came from."
        ) from error
    if not isinstance(record, dict) or record.get("format") != _FORMAT:
        raise ModelError(
            f"{path} is no head of the format {_FORMAT}, which this version of Hanlin reads. Take "
            "the version that wrote it."
        )
    return record


def _fingerprint(folder: Path) -> str:
    """Return what tells the weights in a folder from others: the digests in their headers."""
    digests = []
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="pt") as file:
                digests.append((file.metadata() or {}).get("sha256", path.name))
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{path} is truncated or altered: {error}.") from error
    return sha256_json(digests)


if __name__ == "__main__":
    import sys

    print(list_heads(Path(sys.argv[1])))
