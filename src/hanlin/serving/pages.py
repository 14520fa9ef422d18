"""The web page: a few files of the package, and headers that let nothing else in.

python -m hanlin.serving.pages
"""

from __future__ import annotations

from importlib.resources import files

from starlette.responses import Response

from hanlin.serving.errors import ApiError

__all__ = ["FILES", "POLICY", "page_file"]

FILES = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "main.js": "text/javascript; charset=utf-8",
    "dom.js": "text/javascript; charset=utf-8",
    "words.js": "text/javascript; charset=utf-8",
    "api.js": "text/javascript; charset=utf-8",
    "store.js": "text/javascript; charset=utf-8",
    "settings.js": "text/javascript; charset=utf-8",
    "tokens.js": "text/javascript; charset=utf-8",
    "talk.js": "text/javascript; charset=utf-8",
    "write.js": "text/javascript; charset=utf-8",
    "code.js": "text/javascript; charset=utf-8",
}
"""All that is served, with its kind; nothing else can be asked for."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Scripts and styles of this server only, no other place to send anything to."""


def page_file(name: str) -> Response:
    """Return a file of the page.

    Raises:
        ApiError: there is no such file.
    """
    if name not in FILES:
        raise ApiError(404, "The page has no such file.")
    data = (files("hanlin.serving") / "page" / name).read_bytes()
    headers = {
        "Content-Security-Policy": POLICY,
        "Cache-Control": "no-cache",
        "X-Frame-Options": "DENY",
    }
    return Response(data, media_type=FILES[name], headers=headers)


if __name__ == "__main__":
    print(*FILES)
