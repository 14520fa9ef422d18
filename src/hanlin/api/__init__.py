"""Hanlin in Python: `load` a model and use it, `run` a recipe.

import hanlin
model = hanlin.load("runs/demo")
print(model.generate("从前"))
"""

from hanlin.api.model import Model, find_release, load
from hanlin.api.native import NativeWriter
from hanlin.api.running import run

__all__ = ["Model", "NativeWriter", "find_release", "load", "run"]
