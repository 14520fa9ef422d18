"""What can be wrong with a recipe beyond its types, found before any work starts."""

from hanlin.runs.checks.levels import check_languages
from hanlin.runs.checks.prompts import check_prompts
from hanlin.runs.checks.recipe import check_recipe

__all__ = ["check_languages", "check_prompts", "check_recipe"]
