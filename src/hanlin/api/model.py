"""The model that `load` returns.

import hanlin
model = hanlin.load("runs/demo")
print(model.generate("从前"))
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, overload

from hanlin.api.heads import Heads
from hanlin.api.native import NativeWriter, load_writer
from hanlin.api.tasks import Tasks
from hanlin.api.transforms import Transforms
from hanlin.generation import Engine
from hanlin.models import find_release, load_release
from hanlin.models.expansion import choose_expansion
from hanlin.tokenizers import load_tokenizer
from hanlin.training import choose_placement

__all__ = ["Model", "find_release", "load"]


class Model(Transforms, Tasks, Heads):
    """A released model with its tokenizer, ready to use."""


@overload
def load(
    path: str | Path,
    *,
    device: str = "auto",
    expansion: str | None = None,
    engine: Literal["torch"] = "torch",
) -> Model: ...


@overload
def load(
    path: str | Path,
    *,
    device: str = "auto",
    expansion: str | None = None,
    engine: Literal["native"],
) -> NativeWriter: ...


def load(
    path: str | Path,
    *,
    device: str = "auto",
    expansion: str | None = None,
    engine: Literal["torch", "native"] = "torch",
) -> Model | NativeWriter:
    """Load a released folder, or a run's newest release.

    `expansion` names the expansion beside the core to load; None takes the folder's default, if it
    has one, and an empty string switches expansions off. With the `native` engine the model writes
    texts, one or many at once, and does nothing else.

    Raises:
        ModelError: the path holds neither, or no such expansion.
        UserError: the native engine cannot do what is asked.
    """
    folder = find_release(Path(path))
    if engine == "native":
        return load_writer(folder, device=device, expansion=expansion)
    tokenizer = load_tokenizer(folder)
    target = choose_placement(device).device
    decoder = load_release(folder, device=target, expansion=expansion)
    merged = choose_expansion(folder, expansion)
    return Model(folder, tokenizer, Engine(decoder, tokenizer), decoder, merged)
