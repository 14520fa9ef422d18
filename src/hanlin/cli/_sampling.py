"""The flags of drawing: `SamplingConfig`, whose bounds are told as those of flags.

hanlin generate runs/demo --temperature -1
"""

from __future__ import annotations

from typing import Any

from hanlin.config import SamplingConfig
from hanlin.errors import UserError

__all__ = ["SamplingFlags", "explain_bounds"]


class SamplingFlags(SamplingConfig):
    """How a continuation is drawn, as the command line reads it."""

    def __init__(self, **values: Any) -> None:
        from pydantic import ValidationError

        try:
            super().__init__(**values)
        except ValidationError as error:
            raise UserError(explain_bounds(error, "--")) from error


def explain_bounds(error: Any, mark: str = "") -> str:
    """Return the problems that pydantic found, each with its name, value and bound."""
    lines = []
    for problem in error.errors():
        name = ".".join(map(str, problem["loc"])).replace("_", "-" if mark else "_")
        what = problem["msg"].removeprefix("Value error, ").replace("Input should", "it should")
        given = problem.get("input")
        shown = f" {given}" if isinstance(given, str | int | float) else ""
        lines.append(f"{mark}{name}{shown}: {what}." if name else f"{what}.")
    return " ".join(lines)
