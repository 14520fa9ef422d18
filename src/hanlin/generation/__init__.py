"""Generation: sampling, streams of whole characters, and the engine that joins them.

Names are imported when they are first asked for: most need torch, and what does without, such as
the native engine, must not wait for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hanlin.generation.draft import Completion, FinishReason
    from hanlin.generation.engine import Engine, Prompt
    from hanlin.generation.sampling import TokenHistory, sample_token
    from hanlin.generation.stream import TextStream

__all__ = [
    "Completion",
    "Engine",
    "FinishReason",
    "Prompt",
    "TextStream",
    "TokenHistory",
    "sample_token",
]

_PLACES = {
    "Completion": "hanlin.generation.draft",
    "Engine": "hanlin.generation.engine",
    "FinishReason": "hanlin.generation.draft",
    "Prompt": "hanlin.generation.engine",
    "TextStream": "hanlin.generation.stream",
    "TokenHistory": "hanlin.generation.sampling",
    "sample_token": "hanlin.generation.sampling",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = value
    return value
