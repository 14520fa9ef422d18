"""`hanlin new DIR --text PATH...`: a recipe for one's own text, sized to this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from hanlin.cli._command import Common, parse, say, show
from hanlin.errors import RecipeError

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Arguments(Common):
    """Write a recipe for your own text, sized to this machine."""

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")]
    """Where the recipe goes; made if it is not there."""
    text: tuple[Path, ...]
    """Files or folders of text: txt, md, html, jsonl, csv, parquet, pdf, docx; gz and zst too."""
    minutes: float = 30.0
    """How long training may take."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    example = "hanlin new my-model --text documents/ notes.txt --minutes 20"
    options = parse(Arguments, "new", arguments, example=example)
    if options.minutes <= 0:
        raise RecipeError(f"--minutes {options.minutes:g}: training takes more than no time.")
    from hanlin.planning import recipe_text
    from hanlin.records import write_text

    path = options.folder / "recipe.toml"
    if path.exists():
        raise RecipeError(f"{path} is there already. Give another folder, or delete it first.")
    say("Reading a sample of the text, and timing training steps on this machine ...")
    text = recipe_text(options.text, name=options.folder.resolve().name, minutes=options.minutes)
    write_text(path, text)
    say(f"Wrote {path}. What it costs: hanlin plan {path}. Start it: hanlin run {path}")
    show(options, {"recipe": str(path)}, str(path))
    return 0
