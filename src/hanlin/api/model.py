"""The model that `load` returns.

import hanlin
model = hanlin.load("runs/demo")
print(model.generate("从前"))
"""

from __future__ import annotations

from pathlib import Path

from hanlin.api.heads import Heads
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


def load(path: str | Path, *, device: str = "auto", expansion: str | None = None) -> Model:
    """Load a released folder, or a run's newest release.

    `expansion` names the expansion beside the core to load; None takes the folder's default, if it
    has one, and an empty string switches expansions off.

    Raises:
        ModelError: the path holds neither, or no such expansion.
    """
    folder = find_release(Path(path))
    tokenizer = load_tokenizer(folder)
    target = choose_placement(device).device
    decoder = load_release(folder, device=target, expansion=expansion)
    merged = choose_expansion(folder, expansion)
    return Model(folder, tokenizer, decoder, Engine(decoder, tokenizer), merged)
