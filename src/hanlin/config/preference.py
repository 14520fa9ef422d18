"""Pairs of replies, of which one is preferred, and the objective that learns from them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hanlin.config._strict import Strict

__all__ = ["PreferenceConfig"]

_STRENGTHS = {"dpo": 0.1, "ipo": 0.1, "simpo": 2.0}


class PreferenceConfig(Strict):
    """What is preferred to what, and how that is learnt."""

    path: str = Field(min_length=1)
    """A file of pairs, json or jsonl (packed or not): `prompt` or `messages`, `chosen` and
    `rejected`."""
    loss: Literal["dpo", "ipo", "simpo"] = "dpo"
    """`dpo` and `ipo` compare with the starting model; `simpo` needs none and goes by token."""
    beta: float | None = Field(default=None, gt=0)
    """How strongly the model is held to the starting one; left out, 0.1, and 2 with `simpo`, where
    it only scales."""
    target_margin: float = Field(default=0.5, ge=0)
    """`simpo`: by how much the preferred reply shall be ahead, after scaling."""
    anchor: float = Field(default=0.0, ge=0)
    """Weight of the cross-entropy a token of the preferred reply, which keeps its own probability
    from falling."""

    @property
    def strength(self) -> float:
        """`beta`, or its value where it is left out."""
        return _STRENGTHS[self.loss] if self.beta is None else self.beta
