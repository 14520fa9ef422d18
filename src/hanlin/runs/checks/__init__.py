"""What can be wrong with a recipe beyond its types, found before any work starts."""

from hanlin.runs.checks.recipe import check_recipe

__all__ = ["check_recipe"]
