"""Load on a server from this machine itself: how much it answers, and how soon.

Clients in threads send streamed completions of random ids, each its next as soon as it has its last
answer. They share the processor with the server, so that a busy machine looks slower than it would
to clients elsewhere.

    python -m hanlin.serving.load FOLDER
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from hanlin.errors import HanlinError

__all__ = ["Load", "measure_load"]

_PATIENCE = 600.0


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is asked of the server."""

    requests: int = 32
    at_once: int = 8
    prompt_tokens: int = 32
    max_tokens: int = 32


@dataclass(frozen=True)
class _Answer:
    """How one request went."""

    status: int
    first: float
    seconds: float
    tokens: int


def measure_load(url: str, vocab_size: int, load: Load) -> dict[str, Any]:
    """Return requests and tokens a second, and times to the first token and to the end.

    Raises:
        HanlinError: no request was answered.
    """
    answers: list[_Answer] = []
    faults: list[Exception] = []
    numbers = count()

    def work() -> None:
        while (number := next(numbers)) < load.requests:
            try:
                answers.append(_ask(url, _body(number, vocab_size, load)))
            except (OSError, ValueError, http.client.HTTPException) as error:
                faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(min(load.at_once, load.requests))]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    good = [answer for answer in answers if answer.status == 200]
    if not good:
        raise HanlinError(f"No request was answered: {faults[:1] or answers[:1]}.")
    return {
        "requests": load.requests,
        "answered": len(good),
        "refused": sum(answer.status == 429 for answer in answers),
        "failed": load.requests - len(good) - sum(answer.status == 429 for answer in answers),
        "at_once": load.at_once,
        "prompt_tokens": load.prompt_tokens,
        "max_tokens": load.max_tokens,
        "seconds": round(seconds, 3),
        "requests_per_second": round(len(good) / seconds, 3),
        "tokens_per_second": round(sum(answer.tokens for answer in good) / seconds, 1),
        "first_token_p50": _quantile([answer.first for answer in good], 0.5),
        "first_token_p99": _quantile([answer.first for answer in good], 0.99),
        "answer_p50": _quantile([answer.seconds for answer in good], 0.5),
        "answer_p99": _quantile([answer.seconds for answer in good], 0.99),
    }


def _body(number: int, vocab_size: int, load: Load) -> bytes:
    chance = random.Random(number)
    ids = [chance.randrange(vocab_size) for _ in range(load.prompt_tokens)]
    body = {
        "prompt": ids,
        "max_tokens": load.max_tokens,
        "seed": number,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return json.dumps(body).encode()


def _ask(url: str, body: bytes) -> _Answer:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_PATIENCE)
    began = time.monotonic()
    try:
        connection.request("POST", "/v1/completions", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        first, tokens = 0.0, 0
        for event in _events(response):
            first = first or time.monotonic() - began
            usage = event.get("usage")
            tokens = usage["completion_tokens"] if usage else tokens
        return _Answer(response.status, first, time.monotonic() - began, tokens)
    finally:
        connection.close()


def _events(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    for line in response:
        if line.startswith(b"data: {"):
            event: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
            if "error" in event:
                raise ValueError(str(event["error"]["message"]))
            yield event


def _quantile(values: list[float], share: float) -> float:
    """Return the value that this share of them does not pass.

    >>> _quantile([3.0, 1.0, 2.0], 0.5), _quantile([1.0, 2.0], 0.99)
    (2.0, 2.0)
    """
    ranked = sorted(values)
    return round(ranked[min(len(ranked) - 1, int(share * len(ranked)))], 4)


if __name__ == "__main__":
    import sys

    from hanlin.api import load as load_model
    from hanlin.config import ServingConfig
    from hanlin.serving.served import Served
    from hanlin.serving.server import Background

    model = load_model(sys.argv[1])
    with Background(lambda: Served(model, "model", 0), ServingConfig()) as server:
        print(measure_load(server.url, model.tokenizer.vocab_size, Load()))
