"""What every request passes before it is looked at, and every answer before it leaves.

In: host, origin, key, kind and size of the body. Out: headers that bind a browser, a number, the
counts, and one line of log, which holds no text that anybody sent.

    python -m hanlin.serving.gate
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hanlin.config import ServingConfig
from hanlin.serving.errors import ApiError, as_api_error
from hanlin.serving.metrics import Metrics
from hanlin.serving.security import Access

__all__ = ["OPEN_PATHS", "PATHS", "Gate", "error_response"]

log = logging.getLogger("hanlin.serving")

PATHS = [
    "/v1/models",
    "/v1/completions",
    "/v1/chat/completions",
    "/v1/embeddings",
    "/tokenize",
    "/detokenize",
    "/health",
    "/metrics",
    "/openapi.json",
]
"""What can be asked; `/` is the page."""
OPEN_PATHS = ("/", "/health", "/page/", "/favicon.ico")
"""What needs no key: the page itself, which holds nothing, and whether the server is there."""

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_ALLOWED = "authorization, content-type"


@dataclass
class _Answered:
    """What is known of an answer when it has left."""

    status: int = 0


class Gate:
    """Stands around the application."""

    def __init__(
        self, app: ASGIApp, *, access: Access, config: ServingConfig, metrics: Metrics
    ) -> None:
        """Take what is allowed."""
        self._app, self._access, self._config, self._metrics = app, access, config, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, answered = time.monotonic(), _Answered()
        headers = Headers(scope=scope)
        origin = headers.get("origin")

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered.status = message["status"]
                self._bind(MutableHeaders(scope=message), origin)
            await send(message)

        try:
            await self._let_in(scope, headers, receive, send_on)
        except ApiError as error:
            await error_response(error)(scope, receive, send_on)
        except Exception as error:
            _log_fault(error)
            if not answered.status:
                await error_response(as_api_error(error))(scope, receive, send_on)
        finally:
            seconds = time.monotonic() - began
            path = _known(scope["path"])
            self._metrics.count_request(path, answered.status, seconds=seconds)
            level = logging.DEBUG if path in ("/health", "/metrics", "page") else logging.INFO
            method = scope["method"] if scope["method"].isalpha() else "?"
            log.log(level, "%s %s %d %.0f ms", method[:8], path, answered.status, seconds * 1000)

    async def _let_in(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        host = headers.get("host")
        self._access.check_host(host)
        self._access.check_origin(headers.get("origin"), host)
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await Response(status_code=204)(scope, receive, send)
            return
        if not _is_open(scope["path"]):
            self._access.check_key(headers.get("authorization"))
        if scope["method"] == "POST":
            body = await self._body(headers, receive)
            receive = _replay(body, receive)
        await self._app(scope, receive, send)

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        """Read a body that is JSON, not too large, and not too slow."""
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise ApiError(
                415,
                f"The body's Content-Type is {kind[:60]!r}. Send JSON, with the header "
                "'Content-Type: application/json'.",
                code="unsupported_media_type",
            )
        limit = self._config.max_body_bytes
        sized = headers.get("content-length", "")
        too_large = ApiError(413, f"The body is larger than {limit} bytes.", code="body_too_large")
        if sized.isdigit() and int(sized) > limit:
            raise too_large
        body, more = bytearray(), True
        try:
            async with asyncio.timeout(self._config.body_seconds):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ApiError(400, "The body broke off.")
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > limit:
                        raise too_large
        except TimeoutError:
            raise ApiError(408, "The body did not arrive in time.", code="timeout") from None
        return bytes(body)

    def _bind(self, headers: MutableHeaders, origin: str | None) -> None:
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        headers["X-Request-Id"] = secrets.token_hex(8)
        if origin is not None and origin in self._access.origins:
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Allow-Headers"] = _ALLOWED
            headers["Access-Control-Allow-Methods"] = "GET, POST"
            headers["Cross-Origin-Resource-Policy"] = "cross-origin"
            headers["Vary"] = "Origin"


def error_response(error: ApiError) -> Response:
    """Return an error as an answer."""
    return JSONResponse(error.body(), status_code=error.status, headers=error.headers)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read already, and then what else comes."""
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith("/page/")


def _known(path: str) -> str:
    """Return a path if it is one of ours: what goes into logs and counts is no one else's text."""
    if path in PATHS:
        return path
    if path.startswith("/v1/models/"):
        return "/v1/models"
    return "page" if _is_open(path) else "other"


def _log_fault(error: Exception) -> None:
    """Log where a fault happened, without its message, which may hold what somebody wrote."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    code = None if place is None else place.tb_frame.f_code
    where = "?" if code is None or place is None else f"{code.co_filename}:{place.tb_lineno}"
    log.error("fault %s at %s", json.dumps(type(error).__name__), where)


if __name__ == "__main__":
    print(_known("/v1/completions"), _known("/etc/passwd"))
