"""Expansions on disk, beside the core that they belong to.

    expansions/index.json                        {"default": "law"}
    expansions/law/expansion.json                method and settings, and two fingerprints: of the
                                                 core's weights and of the expansion's own tensors
    expansions/law/expansion.safetensors         the tensors, by the names that they learnt under

transformers and others read the core and pass these over. Nothing in the core's files changes, so
that without its expansions a folder gives the very model that it gave before.

    python -m hanlin.models.expansion.storage FOLDER
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hanlin.config import ExpandConfig
from hanlin.errors import ModelError
from hanlin.models.expansion.base import Expansion
from hanlin.models.weights import digest_tensors, read_tensors, write_tensors
from hanlin.records import write_json

__all__ = ["choose_expansion", "list_expansions", "read_expansion", "write_expansion"]

_FOLDER, _INDEX = "expansions", "index.json"
_SETTINGS, _TENSORS = "expansion.json", "expansion.safetensors"
_FORMAT = 1


def list_expansions(folder: Path) -> list[str]:
    """Return the names of the expansions beside a core."""
    return sorted(path.parent.name for path in (folder / _FOLDER).glob(f"*/{_SETTINGS}"))


def choose_expansion(folder: Path, wanted: str | None) -> str:
    """Return the name of the expansion that is meant, or an empty string for the core alone.

    Raises:
        ModelError: there is no expansion of that name, or the index cannot be read.
    """
    found = list_expansions(folder)
    if wanted is None:
        index = folder / _FOLDER / _INDEX
        wanted = str(_read_json(index).get("default", "")) if index.is_file() else ""
    if wanted and wanted not in found:
        known = ", ".join(found) or "none"
        raise ModelError(
            f"{folder} has no expansion {wanted!r}; it has {known}. Name one of these, or switch "
            "expansions off."
        )
    return wanted


def read_expansion(folder: Path, name: str, *, core: str) -> Expansion:
    """Read an expansion; `core` is the fingerprint of the weights that it lies beside.

    Raises:
        ModelError: it is damaged, or was learnt beside other weights.
    """
    place = folder / _FOLDER / name
    record = _read_json(place / _SETTINGS)
    if record.get("format") != _FORMAT:
        raise ModelError(
            f"{place / _SETTINGS} has the format {record.get('format')!r}; this version of Hanlin "
            f"reads {_FORMAT}. Take the version that wrote it."
        )
    if record.get("core") != core:
        raise ModelError(
            f"The expansion {name!r} in {folder} was learnt beside other weights than those of "
            "this folder, and means nothing beside them. Put it back beside its own core, or "
            "switch it off."
        )
    tensors = read_tensors(place / _TENSORS)
    if record.get("tensors") != digest_tensors(tensors):
        raise ModelError(
            f"{place / _TENSORS} does not hold the tensors that {_SETTINGS} beside it describes. "
            "Copy the expansion anew from where it came from."
        )
    try:
        config = ExpandConfig.model_validate(record["settings"])
    except (KeyError, ValidationError) as error:
        raise ModelError(f"The settings in {place / _SETTINGS} cannot be used: {error}") from error
    return Expansion(config, tensors)


def write_expansion(folder: Path, name: str, expansion: Expansion, *, core: str) -> Path:
    """Put an expansion beside the core in a folder that nobody reads yet, as its new default.

    Returns its own folder there.

    Raises:
        ModelError: there is one of that name.
    """
    if name in list_expansions(folder):
        raise ModelError(
            f"There is an expansion {name!r} beside this core already. Give the new one another "
            "name: expand.name."
        )
    place = folder / _FOLDER / name
    place.mkdir(parents=True)
    write_tensors(place / _TENSORS, expansion.tensors)
    config = expansion.config
    record = {
        "format": _FORMAT,
        "settings": config.model_dump(mode="json", include={"method", *config.settings}),
        "parameters": expansion.num_parameters,
        "core": core,
        "tensors": digest_tensors(expansion.tensors),
    }
    write_json(place / _SETTINGS, record)
    write_json(folder / _FOLDER / _INDEX, {"default": name})
    return place


def _read_json(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} cannot be read: {error}. Copy the folder anew from where it came from."
        ) from error
    if not isinstance(record, dict):
        raise ModelError(f"{path} holds {type(record).__name__} where an object must be.")
    return record


if __name__ == "__main__":
    import sys

    print(list_expansions(Path(sys.argv[1])))
