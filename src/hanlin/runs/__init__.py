"""Runs: a recipe made real in one folder, resumable and inspectable."""

from hanlin.runs.assess import describe_novelty, describe_samples, load_ngram, measure_scorers
from hanlin.runs.console import Console
from hanlin.runs.describe import describe_run
from hanlin.runs.folder import RunFolder, find_runs
from hanlin.runs.run import run_recipe

__all__ = [
    "Console",
    "RunFolder",
    "describe_novelty",
    "describe_run",
    "describe_samples",
    "find_runs",
    "load_ngram",
    "measure_scorers",
    "run_recipe",
]
