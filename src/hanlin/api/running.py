"""A recipe, run from Python.

import hanlin
folder = hanlin.run("recipe.toml")
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hanlin.config import load_recipe
from hanlin.runs import Console, RunFolder, run_recipe

__all__ = ["run"]


def run(
    recipe: str | Path,
    *,
    folder: str | Path | None = None,
    until: str = "",
    overrides: Sequence[str] = (),
    device: str = "auto",
    quiet: bool = False,
) -> Path:
    """Run a recipe, or go on with it; return the run's folder.

    `folder` is `runs/NAME` unless given; `until` names the last stage to run; `overrides` are
    `key.path=value`; `device` is auto, cpu, cuda or mps.
    """
    path = Path(recipe)
    loaded = load_recipe(path, overrides)
    target = Path(folder) if folder else Path("runs") / loaded.name
    console = Console(quiet=quiet)
    run_recipe(
        loaded,
        RunFolder(target.resolve()),
        base=path.parent,
        until=until,
        device=device,
        console=console,
    )
    return target.resolve()
