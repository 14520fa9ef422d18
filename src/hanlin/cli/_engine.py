"""Which engine a verb computes with, and a model in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from hanlin.api import Model, NativeWriter

__all__ = ["EngineName", "load_model"]

EngineName = Literal["auto", "native", "torch"]


def load_model(
    folder: Path, engine: EngineName, *, device: str, expansion: str | None
) -> Model | NativeWriter:
    """Load a released folder into the engine that is asked for, or that can compute it.

    Raises:
        UserError: the native engine is asked for and cannot.
    """
    from hanlin import api
    from hanlin.config import SamplingConfig
    from hanlin.generation.native import why_not_native

    if engine == "auto":
        why = why_not_native(folder, SamplingConfig(), device=device, expansion=expansion)
        engine = "torch" if why else "native"
    if engine == "native":
        return api.load(folder, device=device, expansion=expansion, engine="native")
    return api.load(folder, device=device, expansion=expansion)
