"""Answers that come while they are written: server-sent events, and what ends them.

Each event is a line `data: {json}` and an empty one; the last is `data: [DONE]`. A silent stream
sends a comment now and then. A client that leaves, or takes nothing for a while, ends the texts; an
error becomes the last event but one.

    python -m hanlin.serving.streaming
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hanlin.serving.errors import as_api_error
from hanlin.serving.texts import Text, cancel_all

__all__ = ["ClientGoneError", "EventStream", "encode_event", "unless_gone"]

T = TypeVar("T")
Events = AsyncGenerator[dict[str, Any], None]


class ClientGoneError(Exception):
    """The client closed the connection before it was answered."""


class EventStream(Response):
    """Sends events as they come."""

    media_type = "text/event-stream"

    def __init__(
        self,
        events: Events,
        texts: Sequence[Text],
        *,
        ping_seconds: float,
        write_seconds: float,
        on_gone: Callable[[], None],
        headers: dict[str, str] | None = None,
    ) -> None:
        """Take the events and the texts that end with the stream."""
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self.headers.update(headers or {})
        self._events, self._texts = events, texts
        self._ping, self._patience, self._on_gone = ping_seconds, write_seconds, on_gone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        gone = asyncio.create_task(_wait_until_gone(receive))
        try:
            await self._send(send, {**self._start(), "type": "http.response.start"})
            await self._send_events(send, gone)
        except (ClientGoneError, TimeoutError, OSError):
            self._on_gone()
        finally:
            gone.cancel()
            cancel_all(self._texts)
            await self._events.aclose()

    def _start(self) -> dict[str, Any]:
        return {"status": self.status_code, "headers": self.raw_headers}

    async def _send_events(self, send: Send, gone: asyncio.Task[None]) -> None:
        while True:
            upcoming = asyncio.ensure_future(anext(self._events))
            try:
                while not upcoming.done():
                    await asyncio.wait(
                        {upcoming, gone},
                        timeout=self._ping,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    if gone.done():
                        raise ClientGoneError
                    if not upcoming.done():
                        await self._send_text(send, ": ping\n\n")
            except BaseException:
                upcoming.cancel()
                with contextlib.suppress(BaseException):
                    await upcoming
                raise
            try:
                event = upcoming.result()
            except StopAsyncIteration:
                break
            except Exception as error:
                event = as_api_error(error).body()
                await self._send_text(send, encode_event(event))
                break
            await self._send_text(send, encode_event(event))
        await self._send_text(send, "data: [DONE]\n\n")
        await self._send(send, {"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_text(self, send: Send, text: str) -> None:
        message = {"type": "http.response.body", "body": text.encode(), "more_body": True}
        await self._send(send, message)

    async def _send(self, send: Send, message: dict[str, Any]) -> None:
        async with asyncio.timeout(self._patience):
            await send(message)


def encode_event(event: dict[str, Any]) -> str:
    """Return one event as it goes over the line; Chinese stays as it is.

    >>> encode_event({"text": "翰林"})
    'data: {"text":"翰林"}\\n\\n'
    """
    text = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f"data: {text}\n\n"


async def unless_gone(request: Request, work: Awaitable[T], texts: Sequence[Text]) -> T:
    """Wait for an answer, and end the texts if the client leaves before it.

    Raises:
        ClientGoneError: the client has left.
    """
    working = asyncio.ensure_future(work)
    gone = asyncio.create_task(_wait_until_gone(request.receive))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientGoneError
    finally:
        gone.cancel()
        working.cancel()
        cancel_all(texts)


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


if __name__ == "__main__":
    print(encode_event({"choices": [{"text": "从前"}]}), end="")
