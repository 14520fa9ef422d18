"""Suites: questions with choices, minimal pairs and words to write, judged by likelihood."""

from hanlin.evaluation.suites.items import Item, Norm, Suite, read_items
from hanlin.evaluation.suites.known import SUITES, find_suite
from hanlin.evaluation.suites.measuring import (
    SuiteReport,
    choose_items,
    make_prompt,
    measure_suite,
)

__all__ = [
    "SUITES",
    "Item",
    "Norm",
    "Suite",
    "SuiteReport",
    "choose_items",
    "find_suite",
    "make_prompt",
    "measure_suite",
    "read_items",
]
