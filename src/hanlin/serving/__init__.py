"""The server: OpenAI's API over HTTP, what Prometheus reads, and a web page.

Needs the extra `serve`. `hanlin serve MODEL` is the verb; `run_server` is what it calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hanlin.lazy import import_lazily

if TYPE_CHECKING:
    from hanlin.serving.app import create_app
    from hanlin.serving.security import Access, is_loopback, read_keys
    from hanlin.serving.served import Served
    from hanlin.serving.server import Background, run_server
    from hanlin.serving.service import Service

__all__ = [
    "Access",
    "Background",
    "Served",
    "Service",
    "create_app",
    "is_loopback",
    "read_keys",
    "run_server",
]

_PLACES = {
    "Access": "hanlin.serving.security",
    "Background": "hanlin.serving.server",
    "Served": "hanlin.serving.served",
    "Service": "hanlin.serving.service",
    "create_app": "hanlin.serving.app",
    "is_loopback": "hanlin.serving.security",
    "read_keys": "hanlin.serving.security",
    "run_server": "hanlin.serving.server",
}

__getattr__ = import_lazily(__name__, _PLACES)
