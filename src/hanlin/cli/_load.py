"""What `hanlin bench serve` does: a server in the background, and load on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from hanlin.cli._command import Device
from hanlin.config import BatchingConfig, ServingConfig
from hanlin.errors import UserError, require

__all__ = ["Serve", "measure_serving"]


@dataclass(frozen=True, kw_only=True)
class Serve(Device):
    """Time a server under load from this machine itself, on a free port of 127.0.0.1."""

    model: tyro.conf.Positional[Path]
    """A released folder or a run."""
    requests: int = 32
    """Requests in all."""
    at_once: int = 8
    """Clients, each of which sends its next request once it has its answer."""
    prompt_tokens: int = 32
    """Tokens of each prompt."""
    max_tokens: int = 32
    """Tokens written after each prompt."""
    max_running: int = 16
    """Texts that the server writes at once."""


def measure_serving(options: Serve) -> dict[str, Any]:
    """Return what was measured.

    Raises:
        UserError: a number is below 1, or a text does not fit the model's context.
    """
    asked = {
        name: getattr(options, name)
        for name in ("requests", "at_once", "prompt_tokens", "max_tokens")
    }
    if min(options.max_running, *asked.values()) < 1:
        raise UserError("Give at least one request, client, text and token.")
    require("uvicorn", extra="serve", purpose="The server")
    from hanlin import api
    from hanlin.serving import Background, Served
    from hanlin.serving.load import Load, measure_load

    load = Load(**asked)
    model = api.load(options.model, device=options.device)
    context = model.engine.model.config.context_length
    if load.prompt_tokens + load.max_tokens > context:
        raise UserError(
            f"{load.prompt_tokens} tokens of prompt and {load.max_tokens} written do not fit the "
            f"context of {context}. Give fewer."
        )
    least = options.max_running + BatchingConfig().block_tokens
    batching = BatchingConfig(
        max_running=options.max_running,
        max_waiting=max(64, load.at_once),
        step_tokens=max(BatchingConfig().step_tokens, least),
    )
    config = ServingConfig(
        batching=batching,
        max_waiting_tokens=max(65_536, load.at_once * load.prompt_tokens),
        shutdown_seconds=0,
    )
    with Background(lambda: Served(model, "model", 0), config) as server:
        measured = measure_load(server.url, model.tokenizer.vocab_size, load)
    return {"model": str(options.model), "max_running": options.max_running, **measured}
