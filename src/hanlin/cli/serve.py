"""`hanlin serve MODEL`: OpenAI's API and a web page, for this machine or a network."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from hanlin.cli._command import Loading, parse, say, show
from hanlin.cli._engine import EngineName, load_model
from hanlin.config import BatchingConfig, ServingConfig
from hanlin.errors import RecipeError, UserError, require

__all__ = ["main"]

Names = Annotated[tuple[str, ...], tyro.conf.UseAppendAction]


@dataclass(frozen=True, kw_only=True)
class Arguments(Loading):
    """Serve a model: OpenAI's API under /v1, a web page under /.

    Only this machine reaches it unless --host says otherwise; then it asks for a key. Needs the
    extra `serve`. With --json the address comes as one object on standard output.
    """

    model: tyro.conf.Positional[Path]
    """A released folder or a run."""
    host: str = "127.0.0.1"
    """The address to listen on; 0.0.0.0 is every one of this machine."""
    port: int = 8000
    """The port; 0 takes any that is free."""
    name: str = ""
    """What the model is called; left out, the name of its run or folder."""
    api_key_file: Path | None = None
    """A file with the keys that let somebody in, one a line."""
    no_key: bool = False
    """Let a network in without a key."""
    allow_host: Names = ()
    """A further name that the server answers to; give it again for more."""
    allow_origin: Names = ()
    """A page of another site that may ask, such as https://chat.example."""
    engine: EngineName = "auto"
    """What computes: `native` where the compiled engine can, `torch`, or `auto` for the first of
    them that can."""
    cache_bits: Literal[0, 8] = 0
    """8 keeps keys and values in 8 bits; 0 as the engine does."""
    max_running: int = 16
    """Texts written at once."""
    max_waiting: int = 64
    """Texts that may wait; one more is refused with 429."""
    cache_tokens: int = 0
    """Tokens that the cache holds; 0 takes room for max_running full contexts."""
    request_seconds: float = 600.0
    """After which a text ends with what was written by then."""
    shutdown_seconds: float = 15.0
    """What is being written may be finished for so long once a signal asks to stop."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    options = parse(Arguments, "serve", arguments, example="hanlin serve runs/demo --port 8000")
    require("fastapi", extra="serve", purpose="The server")
    require("uvicorn", extra="serve", purpose="The server")
    from hanlin import api
    from hanlin.serving import Access, Served, is_loopback, read_keys
    from hanlin.serving.server import listen, run_server

    keys = read_keys(options.api_key_file) if options.api_key_file else ()
    if not (keys or options.no_key or is_loopback(options.host)):
        raise UserError(
            f"On {options.host} the network reaches the server. Give --api-key-file FILE with a "
            "key (openssl rand -hex 24 > FILE), or --no-key to let everybody in."
        )
    config = _config(options)
    folder = api.find_release(options.model)
    name = options.name or _name(options.model)
    access = Access(keys, tuple(map(str.lower, options.allow_host)), options.allow_origin)
    sock = listen(options.host, options.port)
    url = _url(options.host, sock.getsockname()[1])
    if options.api_key_file and options.api_key_file.stat().st_mode & 0o077:
        say(f"others on this machine can read {options.api_key_file}: chmod 600 closes it")
    if not (keys or is_loopback(options.host)):
        say("no key is asked for: whoever reaches this machine can use the model (--no-key)")
    say(f"loading {folder}; {url} answers once it is there")

    loaded: list[Served] = []

    def load() -> Served:
        model = load_model(
            folder, options.engine, device=options.device, expansion=options.chosen_expansion
        )
        loaded.append(Served(model, name, int(time.time())))
        return loaded[0]

    def tell() -> None:
        engine = loaded[0].computed
        show(options, {"url": url, "model": name, "engine": engine}, "")
        say(
            f"ready: the page is {url}/ and the API {url}/v1, model {name}, engine {engine}; "
            "Ctrl-C stops"
        )

    with _log_to_standard_error():
        run_server(load, config, access, sock, on_ready=tell)
    say("stopped")
    return 0


def _config(options: Arguments) -> ServingConfig:
    from pydantic import ValidationError

    try:
        batching = BatchingConfig(
            max_running=options.max_running,
            max_waiting=options.max_waiting,
            cache_tokens=options.cache_tokens,
            cache_bits=options.cache_bits,
        )
        return ServingConfig(
            batching=batching,
            request_seconds=options.request_seconds,
            shutdown_seconds=options.shutdown_seconds,
        )
    except ValidationError as error:
        first: Any = error.errors()[0]
        flag = f"--{'-'.join(map(str, first['loc'])).replace('_', '-')}"
        raise RecipeError(f"{flag} is {first['input']!r}: {first['msg']}.") from error


def _name(path: Path) -> str:
    """Return the name of a run or a folder, not `model`, as each run's newest release is called."""
    place = path.resolve()
    return place.parent.name if place.name == "model" else place.name


def _url(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"


@contextmanager
def _log_to_standard_error() -> Iterator[None]:
    """Let the server's log appear, a line a request."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log = logging.getLogger("hanlin.serving")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
