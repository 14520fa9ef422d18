"""`hanlin run RECIPE`: starts a run, or goes on with it, whatever stopped it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hanlin.cli._command import Device, parse, say, show
from hanlin.cli._flags import Folder, RecipePath, SetFlags

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Arguments(Device):
    """Start a recipe's run, or go on with it, whatever stopped it."""

    recipe: RecipePath
    """The recipe, a TOML file."""
    run: Folder = None
    """The run's folder; `runs/NAME` unless given."""
    until: str = ""
    """The last stage to run."""
    overrides: SetFlags = ()
    """Override one key of the recipe; may be given several times."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    example = "hanlin run my.toml --set model.num_layers=8"
    options = parse(Arguments, "run", arguments, example=example)
    from hanlin import api

    folder = api.run(
        options.recipe,
        folder=options.run,
        until=options.until,
        overrides=options.overrides,
        device=options.device,
    )
    from hanlin.runs import RunFolder, describe_run

    found = describe_run(RunFolder(folder))
    for language, bits in found["bits_per_byte"].items():
        say(f"held-out text, {language}: {bits:.3f} bits/byte")
    prompt = next((f" --prompt {shlex.quote(p)}" for p in found["prompts"] if p), "")
    say(f"The report: {_short(folder) / 'report.html'}")
    say(f"Write with it: hanlin generate {_short(folder)}{prompt}")
    if options.json:
        show(options, {"run": str(folder), "model": str(folder / "model")}, "")
    return 0


def _short(folder: Path) -> Path:
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder
