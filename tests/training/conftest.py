"""What the tests of training share: a small training, in this process or in one of its own."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

_SCRIPT = Path(__file__).with_name("training_process.py")


@pytest.fixture(scope="session")
def small() -> ModuleType:
    """Return the module `training_process`: tiny_model, settings, CountingRows and run."""
    spec = importlib.util.spec_from_file_location("training_process", _SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["training_process"] = module
    spec.loader.exec_module(module)
    return module
