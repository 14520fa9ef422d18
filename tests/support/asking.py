"""What tests of a real server share: waiting, and requests over a socket of their own."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

__all__ = ["LONG", "eventually", "post"]

LONG = {"prompt": "小猫", "max_tokens": 80, "ignore_eos": True}


def eventually(true: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def post(url: str, body: dict[str, Any], path: str = "/v1/completions") -> http.client.HTTPResponse:
    """Send a request; the connection closes once its answer was read."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    headers = {"Content-Type": "application/json", "Connection": "close"}
    connection.request("POST", path, json.dumps(body), headers)
    response = connection.getresponse()
    connection.close()
    return response
