"""`hanlin data build|inspect`: a corpus alone, cleaned and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from hanlin.cli._command import Common, parse_one_of, show
from hanlin.cli._flags import RecipePath, SetFlags

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Build(Common):
    """Read, clean and deduplicate a recipe's corpus into a folder."""

    recipe: RecipePath
    """The recipe, a TOML file."""
    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")]
    """Where the corpus goes."""
    overrides: SetFlags = ()
    """Override one key of the recipe; may be given several times."""


@dataclass(frozen=True, kw_only=True)
class Inspect(Common):
    """Say what a corpus holds, and what was dropped and why."""

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")]
    """A corpus folder or a run."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    kinds = {"build": Build, "inspect": Inspect}
    options = parse_one_of(kinds, "data", arguments, example="hanlin data inspect runs/demo")
    from hanlin.text import build_corpus, load_manifest

    if isinstance(options, Build):
        from hanlin.config import load_recipe

        recipe = load_recipe(options.recipe, options.overrides)
        manifest = build_corpus(recipe.corpus, options.folder, base=options.recipe.parent)
    else:
        inner = options.folder / "corpus"
        manifest = load_manifest(inner if inner.is_dir() else options.folder)
    table = manifest.model_dump(mode="json")
    show(options, table, _render(table))
    return 0


def _render(table: dict[str, Any], indent: str = "") -> str:
    lines = []
    for key, value in table.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}", _render(value, indent + "  ")]
        else:
            lines.append(f"{indent}{key:<24} {value}")
    return "\n".join(line for line in lines if line)
