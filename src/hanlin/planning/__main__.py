"""Plan a recipe: `python -m hanlin.planning recipe.toml`."""

from __future__ import annotations

import sys
from pathlib import Path

from hanlin.config import load_recipe
from hanlin.planning import plan, render

if __name__ == "__main__":
    path = Path(sys.argv[1])
    print(render(plan(load_recipe(path), base=path.parent)))
