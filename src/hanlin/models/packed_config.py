"""What is known of packed weights without opening them: the settings in config.json, and shapes.

python -m hanlin.models.packed_config
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hanlin.config import ModelConfig, QuantisationConfig
from hanlin.errors import ModelError
from hanlin.models.translation import from_hf_config

__all__ = [
    "FORMAT",
    "KEY",
    "PREFIX",
    "num_groups",
    "packed_shapes",
    "plain_config",
    "quantisation_of",
    "read_config",
    "read_quantisation",
]

PREFIX, KEY, FORMAT = "hanlin-", "quantisation", 1


def read_config(folder: Path) -> ModelConfig:
    """Return the shape of the model in a folder, without its weights.

    Raises:
        ModelError: if there is no config.json, or it describes no model that can be read.
    """
    raw, where = _read_raw(folder)
    if quantisation_of(raw, where) is not None:
        raw = plain_config(raw)
    return from_hf_config(raw, where)


def read_quantisation(folder: Path) -> QuantisationConfig | None:
    """Return how the matrices in a folder are packed; None for ordinary weights.

    Raises:
        ModelError: if there is no config.json, or they are packed in an unknown way.
    """
    return quantisation_of(*_read_raw(folder))


def _read_raw(folder: Path) -> tuple[dict[str, Any], str]:
    path = Path(folder) / "config.json"
    try:
        raw: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(
            f"{folder} holds no model: config.json is missing. Give a released folder or a run."
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} cannot be read: {error}. Copy the folder anew from where it came from."
        ) from error
    if not isinstance(raw, dict):
        raise ModelError(f"{path} holds {type(raw).__name__} where an object must be.")
    return raw, str(path)


def quantisation_of(raw: Mapping[str, Any], where: str) -> QuantisationConfig | None:
    """Return how the model of a `config.json` is packed; None for ordinary weights.

    Raises:
        ModelError: it is packed in a way that this version does not know.
    """
    own = raw.get("hanlin")
    settings = own.get(KEY) if isinstance(own, dict) else None
    packed = str(raw.get("model_type", "")).startswith(PREFIX)
    if settings is None and not packed:
        return None
    if not packed or not isinstance(settings, dict) or settings.get("format") != FORMAT:
        raise ModelError(
            f"{where} describes a quantised model of another format (model_type "
            f"{raw.get('model_type')!r}, {KEY} {settings!r}); this version of Hanlin reads "
            f"format {FORMAT}. Quantise the original anew: hanlin quantize MODEL OUT."
        )
    try:
        return QuantisationConfig(**{k: v for k, v in settings.items() if k != "format"})
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, e['loc']))} {e['msg']}" for e in error.errors())
        raise ModelError(
            f"The quantisation in {where} cannot be read: {reasons}. Quantise the original anew."
        ) from error


def plain_config(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a quantised model's `config.json` as its original's."""
    return {**raw, "model_type": str(raw["model_type"]).removeprefix(PREFIX)}


def num_groups(columns: int, group: int) -> int:
    """Return into how many groups columns fall, the last one shorter where they do not divide."""
    return -(-columns // group)


def packed_shapes(rows: int, columns: int, bits: int, group: int) -> dict[str, tuple[int, int]]:
    """Return the shapes of the codes, the scales and, at 4 bits, the zeros of a matrix."""
    if bits == 8:
        return {"codes": (rows, columns), "scales": (rows, 1)}
    groups = num_groups(columns, group)
    return {
        "codes": (rows, -(-columns // 2)),
        "scales": (rows, groups),
        "zeros": (rows, groups),
    }


if __name__ == "__main__":
    example = {"model_type": "hanlin-qwen3", "hanlin": {KEY: {"format": 1, "bits": 4}}}
    print(quantisation_of(example, "config.json"), plain_config(example)["model_type"])
    print(packed_shapes(64, 100, 4, 32))
