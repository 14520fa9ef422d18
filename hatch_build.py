"""The build hook: compile the native engine where a C++17 compiler is found, or go on without it.

`HANLIN_NATIVE=0` leaves it out; `HANLIN_NATIVE=1` makes a failure to compile an error.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_NATIVE = Path("src/hanlin/generation/native")


class NativeHook(BuildHookInterface):
    """Adds the compiled core to a wheel, or puts it beside its sources in an editable install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; the wheel is then for this Python on this platform."""
        wish = os.environ.get("HANLIN_NATIVE", "")
        if self.target_name != "wheel" or wish == "0":
            return
        place = Path(self.root) / _NATIVE
        # Loaded by its path: the package itself, with torch, is not there while it is built.
        spec = importlib.util.spec_from_file_location("building", place / "building.py")
        assert spec is not None and spec.loader is not None
        building = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(building)
        try:
            module = building.build(place)
        except building.BuildError as error:
            if wish == "1":
                raise
            self.app.display_warning(f"Without the native engine (PyTorch generates): {error}")
            return
        build_data["pure_python"], build_data["infer_tag"] = False, True
        build_data["force_include"][str(module)] = f"hanlin/generation/native/{module.name}"
