"""How a distil stage learns from its teachers."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from hanlin.config._strict import Strict

__all__ = ["DistilConfig"]


class DistilConfig(Strict):
    """What is taken from the teachers, how much of it, and for how long."""

    depth: Literal["identity", "stack"] = "identity"
    """How a student that starts from a shallower model gets its layers: silent copies between the
    old ones, which keep what it computes, or the whole stack again, which does not."""
    soft: float = Field(default=0.5, ge=0, le=1)
    """Share of the loss that the teachers' soft targets have; the text itself has the rest."""
    temperature: float = Field(default=1.0, gt=0)
    """Temperature of the soft targets; their loss is multiplied by its square."""
    divergence: Literal["forward", "reverse", "jensen-shannon"] = "forward"
    """From teacher to student (covers all that the teacher would say), the reverse (keeps to what
    it would most likely say), or half of each about their mean."""
    hint: float = Field(default=0.0, ge=0)
    """Weight of 1 - cosine between the student's residual stream and the first teacher's."""
    relation: float = Field(default=0.0, ge=0)
    """Weight of the divergence between the relations of tokens in both models' last block."""
    input: float = Field(default=0.0, ge=0)
    """Gate through which the first teacher's last states come in beside the embedding."""
    on_policy: float = Field(default=0.0, ge=0)
    """Weight of the divergence from the teachers on what the student itself writes."""
    on_policy_tokens: int = Field(default=32, ge=1)
    """Tokens that it writes at the end of each row, for that."""
    schedule: Literal["linear", "constant"] = "linear"
    """Whether these weights fall from the first step on, or stay until they end."""
    until_share: float = Field(default=0.4, gt=0, le=1)
    """Share of the steps after which all of these are zero, and no teacher is run any more."""
    disagreement: float = Field(default=0.0, ge=0)
    """Weight of the mean cosine between heads of a layer, which makes them differ."""
    confidence: float = Field(default=0.0, ge=0)
    """Weight of the penalty on confidence: the negative entropy of what is predicted."""

    cache_top_k: int = Field(default=0, ge=0)
    """So many of the teachers' likeliest tokens are written to disk for each token that is read,
    before the student learns from them there; 0 runs the teachers beside the student."""
    cache_folder: str = ""
    """Where that lies; empty for the run's folder. Runs that name the same folder share it."""

    @model_validator(mode="after")
    def _cache_holds_what_is_asked(self) -> Self:
        """Refuse to cache what only a running teacher can give, and a cache of nothing."""
        if not self.cache_top_k:
            if self.cache_folder:
                raise ValueError("cache_folder needs cache_top_k; set it to 64, or leave out both")
            return self
        for key in ("hint", "relation", "input", "on_policy"):
            if weight := getattr(self, key):
                raise ValueError(
                    f"cache_top_k = {self.cache_top_k} keeps soft targets only, and {key} = "
                    f"{weight} needs a teacher that runs; set {key} = 0 or cache_top_k = 0"
                )
        if not self.soft:
            raise ValueError(
                f"cache_top_k = {self.cache_top_k} keeps soft targets, and soft = 0 takes none; "
                "raise soft, or leave out cache_top_k"
            )
        return self

    @property
    def teaches(self) -> bool:
        """Whether anything is taken from a teacher."""
        return any((self.soft, self.hint, self.relation, self.input, self.on_policy))

    def share_at(self, progress: float) -> float:
        """Return what is left of the weights at a share of the steps: 1 at first, then 0.

        >>> DistilConfig(until_share=0.5).share_at(0.25)
        0.5
        """
        if progress >= self.until_share:
            return 0.0
        return 1.0 if self.schedule == "constant" else 1.0 - progress / self.until_share
