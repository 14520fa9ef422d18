"""`hanlin plan RECIPE`: parameters, tokens, FLOPs, memory, time, money, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hanlin.cli._command import Common, parse, say, show
from hanlin.cli._flags import RecipePath, SetFlags

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Arguments(Common):
    """Say what a recipe costs before anything runs."""

    recipe: RecipePath
    """The recipe, a TOML file."""
    overrides: SetFlags = ()
    """Override one key of the recipe; may be given several times."""
    no_probe: bool = False
    """Use formulas only, without timing a few real steps of the model here."""
    price_per_hour: float = 0.0
    """What an hour of this machine costs, in your currency."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    options = parse(Arguments, "plan", arguments, example="hanlin plan my.toml")
    from hanlin.config import load_recipe
    from hanlin.planning import plan, render

    recipe = load_recipe(options.recipe, options.overrides)
    if not options.no_probe:
        say("Timing a few real steps of each stage on this machine; --no-probe leaves it out ...")
    found = plan(
        recipe,
        base=options.recipe.parent,
        probe=not options.no_probe,
        price_per_hour=options.price_per_hour,
    )
    show(options, found.as_dict(), render(found))
    return 0
