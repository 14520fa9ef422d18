"""How a search for likely continuations goes; docs/concepts/decoding.md explains it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from hanlin.config._strict import Strict

__all__ = ["SearchConfig"]


class SearchConfig(Strict):
    """A search for likely continuations, in place of drawing one."""

    method: Literal["beam", "contrastive"] = "beam"
    """Beam search, or contrastive search."""
    max_tokens: int = Field(default=100, ge=1)
    """Tokens to write at most."""
    stop: tuple[str, ...] = ()
    """Strings at which a text ends; they are not part of it."""
    beams: int = Field(default=4, ge=1, le=512)
    """Texts that are followed at once, and returned."""
    groups: int = Field(default=1, ge=1)
    """Groups of beams that keep away from each other's tokens (Vijayakumar et al. 2016)."""
    diversity: float = Field(default=0.5, ge=0)
    """What a token loses for each earlier group that writes it in the same step."""
    length_penalty: float = Field(default=1.0)
    """The sum of log-probabilities is divided by the length to this power; 0 leaves it as it is."""
    no_repeat_ngram: int = Field(default=0, ge=0)
    """No n tokens in a row are written twice; 0 leaves it out."""
    candidates: int = Field(default=5, ge=1)
    """Contrastive: the likeliest tokens that are weighed."""
    alpha: float = Field(default=0.6, ge=0, le=1)
    """Contrastive: how much likeness to what was written counts beside likelihood (Su et al.
    2022)."""

    @model_validator(mode="after")
    def _groups_divide(self) -> Self:
        if self.beams % self.groups:
            raise ValueError(f"{self.beams} beams make no {self.groups} equal groups")
        return self
