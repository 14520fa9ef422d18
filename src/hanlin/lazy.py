"""Names that are imported when they are first asked for (PEP 562), and modules likewise.

_PLACES = {"Decoder": "hanlin.models.decoder"}
__getattr__ = import_lazily(__name__, _PLACES)
tyro = lazy_module("tyro")
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

__all__ = ["import_lazily", "lazy_module"]


def import_lazily(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package whose names stand in the modules of `places`."""

    def get(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(places[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return get


def lazy_module(name: str) -> ModuleType:
    """Return a stand-in for a module, which is imported when something in it is asked for.

    The standard library's `LazyLoader` puts its stand-in into `sys.modules`, where whoever walks
    through all modules, as `inspect` does, wakes it.
    """
    return _StandIn(name)


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)
