"""Read and write the tables of an n-gram model: `config.json` and `model.safetensors`.

The config holds a fingerprint of settings and tables, so that a truncated or altered model is
refused instead of read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from hanlin.errors import ModelError
from hanlin.records import atomic_directory, sha256_json, write_json

__all__ = ["MODEL_TYPE", "fingerprint_tables", "read_config", "read_tables", "write_tables"]

MODEL_TYPE = "hanlin-ngram"
_CONFIG, _WEIGHTS = "config.json", "model.safetensors"


def fingerprint_tables(config: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> str:
    """Return one SHA-256 over the settings and all tables, by name."""
    digest = hashlib.sha256(sha256_json(config).encode("ascii"))
    for name in sorted(tensors):
        digest.update(name.encode("utf-8"))
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()


def write_tables(
    folder: Path, config: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]
) -> None:
    """Write the model's folder; it appears whole or not at all."""
    with atomic_directory(folder) as temporary:
        write_json(temporary / _CONFIG, dict(config))
        save_file(dict(tensors), temporary / _WEIGHTS)


def read_config(folder: Path) -> dict[str, Any]:
    """Return the config of an n-gram model's folder, or raise `ModelError`."""
    path = folder / _CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"Cannot read {path}: {error}. Fit the n-gram model again.") from error
    if not isinstance(config, dict) or config.get("model_type") != MODEL_TYPE:
        raise ModelError(f"{path} does not describe an n-gram model (model_type {MODEL_TYPE}).")
    return config


def read_tables(folder: Path, *, estimator: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return config and tables of a folder, or raise `ModelError` saying what is wrong."""
    config = read_config(folder)
    if config.get("estimator") != estimator:
        raise ModelError(
            f"{folder} holds a model of the estimator {config.get('estimator')!r}, "
            f"not {estimator!r}. Read it with hanlin.models.ngram.load_ngram."
        )
    path = folder / _WEIGHTS
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"Cannot read {path}: {error}. Fit the n-gram model again.") from error
    stated = config.pop("fingerprint", None)
    if fingerprint_tables(config, tensors) != stated:
        raise ModelError(
            f"{folder} was altered or cut short: its contents do not match the fingerprint in "
            f"{_CONFIG}. Fit the n-gram model again."
        )
    return config, tensors
