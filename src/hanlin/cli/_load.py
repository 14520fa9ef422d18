"""What `hanlin bench serve` does: a server in the background, and load on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from hanlin.cli._command import Device
from hanlin.cli._engine import EngineName, load_model
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
    engine: EngineName = "auto"
    """What computes: `native` where the compiled engine can, `torch`, or `auto`."""
    cache_bits: Literal[0, 8] = 0
    """8 keeps keys and values in 8 bits; 0 as the engine does."""


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
    folder = api.find_release(options.model)
    served = Served(
        load_model(folder, options.engine, device=options.device, expansion=None), "model", 0
    )
    context = served.context
    if load.prompt_tokens + load.max_tokens > context:
        raise UserError(
            f"{load.prompt_tokens} tokens of prompt and {load.max_tokens} written do not fit the "
            f"context of {context}. Give fewer."
        )
    batching = BatchingConfig(
        max_running=options.max_running,
        max_waiting=max(64, load.at_once),
        cache_bits=options.cache_bits,
    )
    config = ServingConfig(
        batching=batching,
        max_waiting_tokens=max(65_536, load.at_once * load.prompt_tokens),
        shutdown_seconds=0,
    )
    with Background(lambda: served, config) as server:
        measured = measure_load(server.url, served.model.tokenizer.vocab_size, load)
    return {
        "model": str(options.model),
        "engine": served.computed,
        "max_running": options.max_running,
        **measured,
    }
