"""Hanlin (翰林): raw Chinese and English text in, a GPT of one's own out.

import hanlin
model = hanlin.load("runs/demo")
print(model.generate("从前"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hanlin.api import Model, load, run

__version__ = "0.1.0"
__all__ = ["Model", "__version__", "load", "run"]


def __getattr__(name: str) -> Any:
    """Import the Python interface only when it is asked for, so that `import hanlin` is light."""
    if name in ("Model", "load", "run"):
        from hanlin import api

        return getattr(api, name)
    raise AttributeError(f"module 'hanlin' has no attribute {name!r}")
