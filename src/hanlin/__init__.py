"""Hanlin (翰林): raw Chinese and English text in, a GPT of one's own out.

import hanlin
model = hanlin.load("runs/demo")
print(model.generate("从前"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hanlin.lazy import import_lazily

if TYPE_CHECKING:
    from hanlin.api import Model, load, run

__version__ = "0.1.0"
__all__ = ["Model", "__version__", "load", "run"]

# `import hanlin` stays light: the Python interface comes when it is asked for.
__getattr__ = import_lazily(__name__, dict.fromkeys(("Model", "load", "run"), "hanlin.api"))
