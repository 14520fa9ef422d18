"""uvicorn around the application: it listens, heeds signals, and stops within bounded time.

The first SIGTERM or Ctrl-C takes no more requests and lets what is being written finish for
`shutdown_seconds`; then texts end with a last event. A second one stops at once.

    python -m hanlin.serving.server
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

import uvicorn

from hanlin.config import ServingConfig
from hanlin.errors import HanlinError, UserError
from hanlin.serving.app import create_app
from hanlin.serving.security import Access
from hanlin.serving.served import Served
from hanlin.serving.service import Service

__all__ = ["Background", "listen", "run_server"]

_AFTER = 5.0
"""Seconds that streams have to send their last event once their texts were ended."""


class _Server(uvicorn.Server):
    """Stops its service before its connections."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self.service = service
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Heed signals while serving; none is raised again, for stopping is what it asked for."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        heeded = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.stop(at_once=self.should_exit)

    def stop(self, *, at_once: bool = False) -> None:
        """Begin to stop; from any thread."""
        self.force_exit = self.force_exit or at_once
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.service.begin_stop)
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        UserError: the address is taken, unknown, or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(128)
    except OSError as error:
        found.close()
        raise UserError(
            f"The server cannot listen on {host}, port {port}: {error.strerror or error}. Give "
            "another --port, or 0 for any that is free."
        ) from error
    return found


def run_server(
    load: Callable[[], Served],
    config: ServingConfig,
    access: Access,
    sock: socket.socket,
    *,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until a signal asks to stop.

    Raises:
        HanlinError: the model could not be loaded, or the engine failed for good.
    """
    service, server = _build(config, access)
    service.on_ready = on_ready
    service.start(load)
    server.run([sock])
    if service.error is not None:
        if isinstance(service.error, HanlinError):
            raise service.error
        raise HanlinError(f"The server stopped on a fault: {service.error}") from service.error


class Background:
    """A server in a thread of its own, for tests and measurements: `with Background(...) as url`.

    The model is loaded when the block begins.
    """

    def __init__(
        self, load: Callable[[], Served], config: ServingConfig, access: Access | None = None
    ) -> None:
        """Take a free port of this machine."""
        self._sock = listen("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._sock.getsockname()[1]}"
        self.service, self._server = _build(config, access or Access())
        self._load = load
        self._thread = threading.Thread(target=self._server.run, args=([self._sock],), daemon=True)

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        self.service.start(self._load).join()
        if self.service.error is not None:
            self.stop()
            raise self.service.error
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, within bounded time."""
        self.stop()

    def stop(self) -> None:
        """Ask the server to stop, and wait until it has."""
        self._server.stop()
        self._thread.join()


def _build(config: ServingConfig, access: Access) -> tuple[Service, _Server]:
    service = Service(config)
    settings = uvicorn.Config(
        create_app(service, access),
        access_log=False,
        log_config=None,
        log_level=logging.WARNING,
        ws="none",
        lifespan="on",
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(config.shutdown_seconds + _AFTER),
        h11_max_incomplete_event_size=64 * 1024,
    )
    server = _Server(settings, service)
    service.on_failed = server.stop
    return service, server


if __name__ == "__main__":
    sock = listen("127.0.0.1", 0)
    print(sock.getsockname())
    sock.close()
