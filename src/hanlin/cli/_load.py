"""What `hanlin bench serve` does: a server in the background, and load on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hanlin.config import BatchingConfig, ServingConfig
from hanlin.errors import UserError, require

__all__ = ["measure_serving"]


def measure_serving(path: Path, *, device: str, max_running: int, **asked: int) -> dict[str, Any]:
    """Return what was measured.

    Raises:
        UserError: a number is below 1, or a text does not fit the model's context.
    """
    if min(max_running, *asked.values()) < 1:
        raise UserError("Give at least one request, client, text and token.")
    require("uvicorn", extra="serve", purpose="The server")
    from hanlin import api
    from hanlin.serving import Background, Served
    from hanlin.serving.load import Load, measure_load

    load = Load(**asked)
    model = api.load(path, device=device)
    context = model.engine.model.config.context_length
    if load.prompt_tokens + load.max_tokens > context:
        raise UserError(
            f"{load.prompt_tokens} tokens of prompt and {load.max_tokens} written do not fit the "
            f"context of {context}. Give fewer."
        )
    least = max_running + BatchingConfig().block_tokens
    batching = BatchingConfig(
        max_running=max_running,
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
    return {"model": str(path), "max_running": max_running, **measured}
