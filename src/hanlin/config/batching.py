"""How many texts are written at once, and with how much memory."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from hanlin.config._strict import Strict

__all__ = ["BatchingConfig"]


class BatchingConfig(Strict):
    """The limits of a scheduler."""

    max_running: int = Field(default=32, ge=1)
    """Texts that are read or written at once."""
    max_waiting: int = Field(default=256, ge=0)
    """Requests that may wait; one more is refused."""
    max_overtakes: int = Field(default=8, ge=0)
    """Later requests that may pass one whose memory is not free yet; 0 keeps the order strictly."""
    step_tokens: int = Field(default=0, ge=0)
    """Tokens that a step reads at most: one for each text being written, the rest from prompts; 0
    takes what suits the engine."""
    block_tokens: int = Field(default=16, ge=1)
    """Tokens of a block of the cache."""
    cache_tokens: int = Field(default=0, ge=0)
    """Tokens that the cache holds; 0 takes room for `max_running` full contexts."""
    cache_bits: Literal[0, 8] = 0
    """8 keeps keys and values in 8 bits: more texts in the same memory; 0 as the engine does."""
    prefix_reuse: bool = True
    """Whether texts with the same beginning share its keys and values."""
    deterministic: bool = False
    """Whether a text's numbers must not depend on its neighbours to the last bit; slower."""

    @model_validator(mode="after")
    def _check_step(self) -> BatchingConfig:
        least = self.max_running + self.block_tokens
        if 0 < self.step_tokens < least:
            raise ValueError(
                f"step_tokens {self.step_tokens} is below max_running + block_tokens = {least}: "
                "texts being written would leave nothing for prompts. Raise it, or lower those"
            )
        return self
