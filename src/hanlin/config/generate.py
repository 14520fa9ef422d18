"""How a generate stage chooses the decoding."""

from __future__ import annotations

from hanlin.config._strict import Strict

__all__ = ["GenerateConfig"]


class GenerateConfig(Strict):
    """The samplers that are compared, and on how many prompts."""
