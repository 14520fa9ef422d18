"""What a checkpoint depends on: a changed model, corpus or tokenizer is refused, with a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hanlin.errors import RunError

__all__ = ["check_fingerprints", "list_changes"]


def check_fingerprints(saved: Mapping[str, Any], current: Mapping[str, Any], where: str) -> None:
    """Raise RunError with each difference if a checkpoint was written with other settings."""
    changes = list_changes(saved, current)
    if not changes:
        return
    listed = "\n".join(f"  {change}" for change in changes)
    raise RunError(
        f"The checkpoint of {where} was written with other settings than these:\n{listed}\n"
        "Put them back as they were to go on, or give another folder with --run to start anew."
    )


def list_changes(saved: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """Return one line for each leaf that differs.

    >>> list_changes({"model": {"layers": 4}, "corpus": "a"}, {"model": {"layers": 8}})
    ["corpus: 'a' then, missing now", 'model.layers: 4 then, 8 now']
    """
    then, now = dict(_leaves(saved)), dict(_leaves(current))
    return [
        f"{key}: {_show(then, key)} then, {_show(now, key)} now"
        for key in sorted(then.keys() | now.keys())
        if _show(then, key) != _show(now, key)
    ]


def _leaves(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        # A tuple and the list that JSON makes of it are the same.
        return [(prefix, list(value) if isinstance(value, tuple) else value)]
    return [
        leaf
        for key, inner in value.items()
        for leaf in _leaves(inner, f"{prefix}.{key}" if prefix else str(key))
    ]


def _show(leaves: Mapping[str, Any], key: str) -> str:
    return repr(leaves[key]) if key in leaves else "missing"
