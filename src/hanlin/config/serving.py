"""The limits of the server: what it takes on, and how long it waits."""

from __future__ import annotations

from pydantic import Field

from hanlin.config._strict import Strict
from hanlin.config.batching import BatchingConfig

__all__ = ["ServingConfig"]


class ServingConfig(Strict):
    """The limits of a server."""

    batching: BatchingConfig = BatchingConfig(max_running=16, max_waiting=64)
    """The limits of its scheduler."""
    max_texts: int = Field(default=32, ge=1)
    """Texts that one request may ask for: prompts times `n` or `best_of`."""
    max_waiting_tokens: int = Field(default=65_536, ge=1)
    """Tokens of prompts that may wait for their first answer; a request more is refused."""
    max_body_bytes: int = Field(default=2_000_000, ge=1)
    """Bytes of a request's body."""
    body_seconds: float = Field(default=30.0, gt=0)
    """Within which a body has to arrive."""
    request_seconds: float = Field(default=600.0, gt=0)
    """After which a text ends with what was written by then, its wait included."""
    write_seconds: float = Field(default=60.0, gt=0)
    """A reader of a stream who takes nothing for so long is let go."""
    ping_seconds: float = Field(default=15.0, gt=0)
    """A silent stream says so often that it lives."""
    shutdown_seconds: float = Field(default=15.0, ge=0)
    """What is being written may be finished for so long once the server is asked to stop."""
