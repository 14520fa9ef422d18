"""Kinds of flags that several verbs take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

__all__ = ["Folder", "ModelPath", "OutPath", "RecipePath", "RunPath", "SetFlags"]

Folder = Annotated[Path | None, tyro.conf.arg(metavar="DIR")]
ModelPath = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")]
OutPath = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
RecipePath = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RECIPE")]
RunPath = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
SetFlags = Annotated[
    tuple[str, ...],
    tyro.conf.arg(name="set", metavar="KEY=VALUE"),
    tyro.conf.UseAppendAction,
]
