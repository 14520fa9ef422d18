"""Planning: what a recipe will take, which recipe fits, and what machine this is."""

from hanlin.planning.doctor import Check, doctor_checks
from hanlin.planning.formulas import Hardware
from hanlin.planning.machine import describe_machine
from hanlin.planning.plan import plan
from hanlin.planning.prices import Prices
from hanlin.planning.render import render
from hanlin.planning.result import Plan, StagePlan
from hanlin.planning.sampling import CorpusEstimate, estimate_corpus
from hanlin.planning.writing import fit_recipe, recipe_text

__all__ = [
    "Check",
    "CorpusEstimate",
    "Hardware",
    "Plan",
    "Prices",
    "StagePlan",
    "describe_machine",
    "doctor_checks",
    "estimate_corpus",
    "fit_recipe",
    "plan",
    "recipe_text",
    "render",
]
