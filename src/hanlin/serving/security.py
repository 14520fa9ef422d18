"""Who may ask: the key, the names that the server answers to, and pages of other sites.

A page of another site can make a browser send requests here, and with DNS rebinding even under a
name of its own. So a request's `Host` has to be an address, `localhost`, or a name that was
allowed: an attacker has to use a name. And a request with an `Origin` has to come from this
server's own page, or from one that was allowed.

    python -m hanlin.serving.security
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hanlin.errors import UserError
from hanlin.serving.errors import ApiError

__all__ = ["Access", "is_loopback", "read_keys"]

_LEAST_KEY = 8


@dataclass(frozen=True)
class Access:
    """Who may ask."""

    keys: tuple[str, ...] = ()
    """One of which has to be sent as `Authorization: Bearer KEY`; without any, none is needed."""
    hosts: tuple[str, ...] = ()
    """Names that the server answers to, besides addresses and `localhost`."""
    origins: tuple[str, ...] = ()
    """Origins of other pages that may ask, such as `https://chat.example`."""

    def __repr__(self) -> str:
        """Return what may be shown: no key."""
        return f"Access({len(self.keys)} keys, hosts={self.hosts}, origins={self.origins})"

    def check_host(self, host: str | None) -> None:
        """Check the name under which the server was asked.

        Raises:
            ApiError: it is none of its own.
        """
        name = _name_of(host or "")
        if not (name == "localhost" or name in self.hosts or _is_address(name)):
            raise ApiError(
                403,
                f"This server does not answer to the name {name[:100]!r}. Ask it by its address, "
                "or start it with --allow-host NAME.",
                code="host_not_allowed",
            )

    def check_origin(self, origin: str | None, host: str | None) -> None:
        """Check the page that asks, if a page does.

        Raises:
            ApiError: it is another site's.
        """
        if origin is None or origin in self.origins:
            return
        parts = urlsplit(origin)
        if parts.scheme in ("http", "https") and host and parts.netloc.lower() == host.lower():
            return
        raise ApiError(
            403,
            "A page of another site may not ask this server. Start it with --allow-origin to let "
            "that page in.",
            code="origin_not_allowed",
        )

    def check_key(self, authorization: str | None) -> None:
        """Check the key; each is compared, and in a time that says nothing of it.

        Raises:
            ApiError: there is none, or it is wrong.
        """
        if not self.keys:
            return
        scheme, _, sent = (authorization or "").partition(" ")
        given = sent.strip() if scheme.lower() == "bearer" else ""
        found = [hmac.compare_digest(_digest(given), _digest(key)) for key in self.keys]
        if not any(found):
            reason = "is not known here" if given else "is missing"
            raise ApiError(
                401,
                f"The API key {reason}. Send it as `Authorization: Bearer KEY`.",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )


def read_keys(path: Path) -> tuple[str, ...]:
    """Read keys from a file, one a line; empty lines and such that begin with # are passed over.

    Raises:
        UserError: there is none, or one is too short or has characters that no header can carry.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not text in UTF-8. Put one key a line into it.") from error
    numbered = [(number, line.strip()) for number, line in enumerate(lines, start=1)]
    keys = [(number, line) for number, line in numbered if line and not line.startswith("#")]
    for number, key in keys:
        if len(key) < _LEAST_KEY or not (key.isascii() and key.isprintable()) or " " in key:
            raise UserError(
                f"{path}, line {number}: a key has at least {_LEAST_KEY} printable ASCII "
                "characters and no spaces. `openssl rand -hex 24` makes one."
            )
    if not keys:
        raise UserError(f"{path} holds no key. Put one a line into it: openssl rand -hex 24")
    return tuple(key for _, key in keys)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _name_of(host: str) -> str:
    """Return a host without its port.

    >>> _name_of("[::1]:8000"), _name_of("Localhost:80")
    ('::1', 'localhost')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _digest(text: str) -> bytes:
    """Return a hash, so that comparing takes no longer for a key of the right length."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    Access().check_host("127.0.0.1:8000")
    print("an address is answered to")
