"""The compiled core, where this installation has one.

python -m hanlin.generation.native.compiled
"""

from __future__ import annotations

import importlib
import os
from typing import Any

from hanlin.errors import UserError

__all__ = [
    "INSTRUCTIONS_VARIABLE",
    "default_instructions",
    "default_threads",
    "is_available",
    "load_core",
]

INSTRUCTIONS_VARIABLE = "HANLIN_INSTRUCTIONS"
"""The environment's name for the instruction set to compute with."""


_NAME = "hanlin.generation.native._core"
_MOST_THREADS = 256


def load_core() -> Any:
    """Return the compiled module.

    Raises:
        UserError: it was not built, or not for this Python.
    """
    try:
        return importlib.import_module(_NAME)
    except ImportError as error:
        raise UserError(
            f"The native engine is not built here ({error}). Install a C++17 compiler, then "
            "`pip install pybind11` and `python -m hanlin.generation.native.building`; or "
            "generate with --engine torch."
        ) from error


def is_available() -> bool:
    """Whether this installation has the core."""
    try:
        load_core()
    except UserError:
        return False
    return True


def default_threads() -> int:
    """Return OMP_NUM_THREADS, as other programs take it, or the cores that this process may use."""
    named = os.environ.get("OMP_NUM_THREADS", "")
    if named.isdigit() and int(named) > 0:
        return min(int(named), _MOST_THREADS)
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    return min(cores, _MOST_THREADS)


def default_instructions() -> str:
    """Return HANLIN_INSTRUCTIONS, or "auto", the fastest set of this machine that is built."""
    return os.environ.get(INSTRUCTIONS_VARIABLE, "").strip() or "auto"


if __name__ == "__main__":
    print(load_core().instruction_sets() if is_available() else "not built")
