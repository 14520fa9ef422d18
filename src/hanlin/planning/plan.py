"""What a recipe will take, before anything runs: parameters, tokens, FLOPs, memory, time, money.

With a probe, time and memory come from real steps of the very model at the very batch, and from the
real tokenizer and corpus code on a sample; without one, or where the model does not fit this
machine, they come from formulas and say on what they stand.

    python -m hanlin.planning recipe.toml
"""

from __future__ import annotations

from pathlib import Path

from hanlin.config import Recipe
from hanlin.planning.formulas import Hardware
from hanlin.planning.planner import Planner
from hanlin.planning.prices import Prices
from hanlin.planning.result import Plan
from hanlin.planning.sampling import CorpusEstimate

__all__ = ["plan"]


def plan(
    recipe: Recipe,
    *,
    corpus: CorpusEstimate | None = None,
    base: Path = Path(),
    probe: bool = True,
    hardware: Hardware | None = None,
    price_per_hour: float = 0.0,
    kilowatts: float = 0.0,
    price_per_kilowatt_hour: float = 0.0,
    currency: str = "",
    price_date: str = "",
) -> Plan:
    """Plan a recipe.

    Args:
        recipe: what is to be run.
        corpus: an estimate of its corpus; made from a sample unless given.
        base: the folder at which relative source paths start.
        probe: whether real steps are timed here; the model has to fit.
        hardware: the machine that a plan by formula is for; its peak is measured here unless given.
        price_per_hour: what an hour of the machine costs.
        kilowatts: what it draws, for a machine of one's own.
        price_per_kilowatt_hour: what a kilowatt-hour costs.
        currency: of both prices.
        price_date: when they held.

    Raises:
        DataError: a source of the corpus cannot be read.
        RecipeError: no stage learns, so that there is nothing to plan.
        ModelError: a release from elsewhere cannot be read, or a shape is impossible.
        UserError: a price is negative.
    """
    prices = Prices(
        per_hour=price_per_hour,
        kilowatts=kilowatts,
        per_kilowatt_hour=price_per_kilowatt_hour,
        currency=currency,
        date=price_date,
    )
    planner = Planner.of(recipe, corpus, base, prices)
    if hardware is not None or not probe:
        return planner.by_formula(hardware or planner.this_machine(), ())
    obstacle = planner.obstacle()
    if obstacle:
        return planner.by_formula(planner.this_machine(), (obstacle,))
    return planner.by_probe()
