"""`hanlin demo`: the whole chain on the toy world, offline, and stories at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from hanlin.cli._command import Device, SetFlags, parse, say, show

if TYPE_CHECKING:
    from hanlin.api import Model

__all__ = ["main"]

_OPENINGS = ("早上，", "晚上，", "One day,", "One evening,")
_ASKED = (
    "早上，小红带着一个苹果来到了公园。一只小猫也来了。小红把苹果送给了小猫。"
    "就这样，小红高兴地回家了。\n问：最后谁有苹果？\n答：",
    "One day, Ming came to the park with a kite. A dog came too. Ming gave the kite to the dog. "
    "And so Ming went home happily.\nQuestion: Who gave the kite to the dog?\nAnswer: ",
)


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
    stories = _write_stories(api.load(folder, expansion=""))
    answers = _answer(api.load(folder))
    shown = "\n\n".join([*stories, *(f"{asked}{reply}" for asked, reply in answers)])
    show(options, {"run": str(folder), "stories": stories, "answers": answers}, shown)
    say(f"\nThe report: {folder / 'report.html'}")
    say(f"Another story: hanlin generate {options.run} --expansion off --temperature 0.7")
    return 0


def _write_stories(core: Model) -> list[str]:
    """Return stories by the model without what it learnt about questions."""
    return [
        opening + core.generate(opening, temperature=0.7, max_tokens=120, seed=seed)
        for seed, opening in enumerate(_OPENINGS)
    ]


def _answer(reader: Model) -> list[tuple[str, str]]:
    """Return what is asked, a story before it, with the likeliest answer."""
    return [
        (asked, reader.generate(asked, temperature=0, max_tokens=16, stop=("\n",)))
        for asked in _ASKED
    ]
