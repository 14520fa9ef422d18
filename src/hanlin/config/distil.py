"""How a distil stage learns from its teachers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

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
