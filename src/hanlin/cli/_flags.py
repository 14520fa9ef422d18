"""Kinds of flags that several verbs take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

__all__ = ["Folder", "SetFlags"]

Folder = Annotated[Path | None, tyro.conf.arg(metavar="DIR")]
SetFlags = Annotated[
    tuple[str, ...],
    tyro.conf.arg(name="set", metavar="KEY=VALUE"),
    tyro.conf.UseAppendAction,
]
