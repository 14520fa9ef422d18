"""`POST /v1/embeddings`: texts as vectors, the mean of the model's last hidden states.

    curl http://127.0.0.1:8000/v1/embeddings -H 'Content-Type: application/json' \\
         -d '{"input": ["小猫", "a cat"]}'

python -m hanlin.serving.embeddings
"""

from __future__ import annotations

import asyncio
import base64
from typing import Any

from torch import Tensor

from hanlin.generation.embedding import embed_ids
from hanlin.serving.errors import ApiError
from hanlin.serving.schemas import EmbeddingsRequest
from hanlin.serving.served import Served
from hanlin.serving.service import Service

__all__ = ["embed"]


async def embed(service: Service, request: EmbeddingsRequest) -> dict[str, Any]:
    """Return the vectors of a request's texts, in their order.

    Raises:
        ApiError: a text cannot be read, or the vectors cannot be as they are asked for.
    """
    served = service.served
    _check_width(served, request)
    given = await asyncio.to_thread(_given, served, request)
    data = []
    for index, (ids, first) in enumerate(given):
        async with service.scoring:
            vector = await asyncio.to_thread(embed_ids, service.engine, ids, first)
        shown = _shown(vector, request)
        data.append({"object": "embedding", "index": index, "embedding": shown})
    tokens = sum(len(ids) for ids, _ in given)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": served.name, "usage": usage}


def _check_width(served: Served, request: EmbeddingsRequest) -> None:
    width = served.engine.model.config.hidden_size
    if request.dimensions not in (None, width):
        raise ApiError(
            400,
            f"The vectors of this model have {width} numbers and cannot be shortened to "
            f"{request.dimensions}. Leave dimensions out.",
            param="dimensions",
        )


def _given(served: Served, request: EmbeddingsRequest) -> list[tuple[list[int], int]]:
    """Return each text's tokens, and how many in front of them are no part of it."""
    asked = request.input
    if isinstance(asked, str) or isinstance(asked[0], int):
        return [_read(served, asked, "input")]
    return [_read(served, each, f"input[{number}]") for number, each in enumerate(asked)]


def _read(served: Served, given: Any, param: str) -> tuple[list[int], int]:
    if not given:
        raise ApiError(400, "An empty text has no vector.", param=param)
    if isinstance(given, str):
        ids = served.document(given)
        first = 0 if served.is_foreign else 1
    else:
        ids, first = list(given), 0
        size = served.model.tokenizer.vocab_size
        wrong = next((id for id in ids if not 0 <= id < size), None)
        if wrong is not None:
            message = f"There is no token {wrong}; ids go from 0 to {size - 1}."
            raise ApiError(400, message, param=param)
    if len(ids) > served.context:
        raise ApiError(
            400,
            f"This model's maximum context length is {served.context} tokens, and this text has "
            f"{len(ids)}. Cut it into parts of at most {served.context}.",
            param=param,
            code="context_length_exceeded",
        )
    return ids, first


def _shown(vector: Tensor, request: EmbeddingsRequest) -> list[float] | str:
    if request.encoding_format == "base64":
        return base64.b64encode(vector.numpy().astype("<f4").tobytes()).decode("ascii")
    numbers: list[float] = vector.tolist()
    return numbers


if __name__ == "__main__":
    print(EmbeddingsRequest(input=["小猫", "a cat"]))
