"""What lies beside a model's weights and does not come along when they are written elsewhere.

Heads mean something on their own weights alone. Of several expansions one at most is merged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hanlin.api import Model

__all__ = ["left_behind", "render_left_behind"]


def left_behind(model: Model, why: str, *, kept: Sequence[str] = ()) -> dict[str, Any]:
    """Return the names of heads, but for those `kept`, and of expansions that stay behind.

    `why` says why heads do; it is left out where none does.
    """
    from hanlin.models.expansion import list_expansions

    heads = [name for name in model.heads if name not in kept]
    expansions = [name for name in list_expansions(model.folder) if name != model.expansion]
    return {"heads": heads, "expansions": expansions, **({"why": why} if heads else {})}


def render_left_behind(found: dict[str, Any]) -> list[str]:
    """Return a line for the heads and one for the expansions, where there are any."""
    lines = []
    if found["heads"]:
        lines.append(f"Left behind: the heads {', '.join(found['heads'])}; {found['why']}")
    if found["expansions"]:
        names = ", ".join(found["expansions"])
        lines.append(f"Left behind: the expansions {names}; --expansion NAME merges one of them")
    return lines
