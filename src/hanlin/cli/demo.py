"""`hanlin demo`: the whole chain on the toy world, offline, and stories at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from hanlin.cli._command import Device, SetFlags, parse, say, show

__all__ = ["main"]

_OPENINGS = ("早上，", "晚上，", "One day,", "One evening,")


@dataclass(frozen=True, kw_only=True)
class Arguments(Device):
    """Train a small bilingual GPT on the toy world before your eyes, and read what it writes."""

    run: Path = Path("runs/demo")
    """The run's folder; a finished demo is not trained again."""
    overrides: SetFlags = ()
    """Override one key of the demo's recipe; may be given several times."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    options = parse(Arguments, "demo", arguments, example="hanlin demo --run runs/first")
    from hanlin import api

    recipe = resources.files("hanlin.runs") / "recipes" / "demo.toml"
    with resources.as_file(recipe) as path:
        folder = api.run(
            path, folder=options.run, overrides=options.overrides, device=options.device
        )
    model = api.load(folder)
    stories = [
        opening + model.generate(opening, temperature=0.7, max_tokens=120, seed=seed)
        for seed, opening in enumerate(_OPENINGS)
    ]
    show(options, {"run": str(folder), "stories": stories}, "\n\n".join(stories))
    say(f"\nThe report: {folder / 'report.html'}")
    say(f"Another story: hanlin generate {options.run} --temperature 0.7")
    return 0
