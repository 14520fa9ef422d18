"""What a released folder proposes about drawing text: generation_config.json, both ways.

The names are those of transformers, so that other engines follow the same proposal.

    python -m hanlin.models.proposals FOLDER
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hanlin.config import SamplingConfig
from hanlin.errors import ModelError
from hanlin.records import write_json

__all__ = ["as_proposal", "propose_sampling", "read_proposal"]

_FILE = "generation_config.json"
_NAMES = {
    "max_new_tokens": "max_tokens",
    "min_new_tokens": "min_tokens",
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "typical_p": "typical_p",
    "no_repeat_ngram_size": "no_repeat_ngram",
    "repetition_penalty": "repetition_penalty",
}


def as_proposal(sampling: SamplingConfig) -> dict[str, Any]:
    """Return a way of drawing under the names of transformers."""
    settings: dict[str, Any] = {
        "do_sample": sampling.temperature > 0,
        "max_new_tokens": sampling.max_tokens,
        "repetition_penalty": sampling.repetition_penalty,
    }
    if sampling.temperature > 0:
        settings |= {
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
            **({"min_p": sampling.min_p} if sampling.min_p else {}),
            **({"typical_p": sampling.typical_p} if sampling.typical_p < 1 else {}),
        }
    if sampling.min_tokens:
        settings["min_new_tokens"] = sampling.min_tokens
    if sampling.no_repeat_ngram:
        settings["no_repeat_ngram_size"] = sampling.no_repeat_ngram
    return settings


def propose_sampling(folder: Path, sampling: SamplingConfig) -> None:
    """Write a way of drawing into a released folder in place of the one proposed there."""
    kept = {k: v for k, v in _read(folder).items() if k not in (*_NAMES, "do_sample")}
    write_json(folder / _FILE, {**kept, **as_proposal(sampling)})


def read_proposal(folder: Path) -> SamplingConfig:
    """Return how a released folder proposes to draw; what it does not say is the default.

    Raises:
        ModelError: its generation_config.json cannot be read, or holds an impossible value.
    """
    settings = _read(folder)
    values = {ours: settings[name] for name, ours in _NAMES.items() if settings.get(name)}
    if settings.get("do_sample") is False:
        values["temperature"] = 0.0
    try:
        return SamplingConfig(**values)
    except ValidationError as error:
        raise ModelError(
            f"{folder / _FILE} proposes an impossible way of drawing: {error}. Correct the file, "
            "or remove it to draw by default."
        ) from error


def _read(folder: Path) -> dict[str, Any]:
    path = folder / _FILE
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}. Copy the folder anew.") from error
    return found if isinstance(found, dict) else {}


if __name__ == "__main__":
    import sys

    print(read_proposal(Path(sys.argv[1])))
