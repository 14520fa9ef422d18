"""What a refused or failed request is told, in the shape that OpenAI's clients read.

    {"error": {"message": "…", "type": "invalid_request_error", "param": "top_p", "code": null}}

python -m hanlin.serving.errors
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hanlin.errors import BusyError, HanlinError, NotFiniteError, UserError

__all__ = ["ApiError", "as_api_error", "describe_invalid"]

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
RETRY_SECONDS = 1


class ApiError(Exception):
    """A request that ends with a status and an explanation."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Take what the client is told."""
        super().__init__(message)
        self.status, self.param, self.code = status, param, code
        self.headers = dict(headers or {})

    @property
    def type(self) -> str:
        """OpenAI's name of the kind of error."""
        default = "server_error" if self.status >= 500 else "invalid_request_error"
        return _TYPES.get(self.status, default)

    def body(self) -> dict[str, Any]:
        """Return the JSON that the client gets."""
        shown = {"message": str(self), "type": self.type, "param": self.param, "code": self.code}
        return {"error": shown}


def as_api_error(error: BaseException, *, param: str | None = None) -> ApiError:
    """Return what a client is told of an error; of one that nobody foresaw, only that it was."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, BusyError):
        waits = {"Retry-After": str(RETRY_SECONDS)}
        return ApiError(429, str(error), code="queue_full", headers=waits)
    if isinstance(error, UserError):
        return ApiError(400, str(error), param=param)
    if isinstance(error, NotFiniteError):
        return ApiError(500, str(error), code="not_finite")
    if isinstance(error, HanlinError):
        return ApiError(
            500, "The engine failed on this request; others go on.", code="engine_fault"
        )
    return ApiError(500, "The server failed on this request; its log says where.", code="fault")


def describe_invalid(errors: list[dict[str, Any]], body: Any) -> ApiError:
    """Return a 400 that names the field of the first of pydantic's errors, and its value."""
    first = errors[0]
    param = _path(first["loc"], body, is_missing=first["type"] == "missing")
    if first["type"] == "json_invalid":
        reason = first.get("ctx", {}).get("error", "it cannot be parsed")
        return ApiError(400, f"The body is not JSON: {reason}.", code="invalid_json")
    reason = first["msg"].removeprefix("Value error, ").rstrip(".")
    found = first.get("input")
    shown = f" It is {found!r:.40}." if isinstance(found, int | float) else ""
    if first["type"] == "missing":
        return ApiError(400, f"The field {param!r} is missing.", param=param)
    where = f"The field {param!r}" if param else "The body"
    return ApiError(400, f"{where} cannot be used: {reason}.{shown}", param=param)


def _path(places: tuple[str | int, ...], body: Any, *, is_missing: bool) -> str | None:
    """Return a field as `messages[0].content`, without pydantic's names of alternatives."""
    path, value = "", body
    steps = [place for place in places if place != "body"]
    for number, step in enumerate(steps):
        if isinstance(value, dict) and isinstance(step, str):
            if step not in value and not (is_missing and number == len(steps) - 1):
                continue
            path += f".{step}" if path else step
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            path += f"[{step}]"
            value = value[step]
    return path or None


if __name__ == "__main__":
    print(ApiError(400, "top_p is 2.", param="top_p").body())
