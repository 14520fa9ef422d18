"""From a request's fields to how its texts are drawn.

python -m hanlin.serving.settings
"""

from __future__ import annotations

import secrets
from typing import Any

from hanlin.config import SamplingConfig
from hanlin.serving.errors import ApiError
from hanlin.serving.schemas import ResponseFormat, SamplingRequest

__all__ = ["constraint_of", "sampling_of"]

_PLAIN = (
    "temperature",
    "top_p",
    "min_p",
    "typical_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "dry_multiplier",
    "no_repeat_ngram",
    "min_tokens",
    "seed",
    "regex",
    "grammar",
)
_LISTS = ("banned", "forced", "choices")
_CONSTRAINTS = ("response_format", "regex", "grammar", "choices")
_NEVER = -1e9
"""What keeps a token from being drawn, whatever its logit."""


def constraint_of(request: SamplingRequest) -> str | None:
    """Return the field that binds the text, if any does.

    Raises:
        ApiError: there is more than one.
    """
    given = [name for name in _CONSTRAINTS if getattr(request, name) is not None]
    if request.response_format is not None and request.response_format.type == "text":
        given.remove("response_format")
    if len(given) > 1:
        raise ApiError(400, f"{' and '.join(given)} exclude each other.", param=given[1])
    if given and request.forced:
        raise ApiError(400, f"forced and {given[0]} exclude each other.", param="forced")
    return given[0] if given else None


def sampling_of(
    request: SamplingRequest,
    proposed: SamplingConfig,
    *,
    max_tokens: int | None,
    logprobs: int | None,
    vocab_size: int,
    ends: frozenset[int],
) -> SamplingConfig:
    """Return how the first text of a request is drawn; the seed of a further one is one more.

    A request without a seed gets one, so that a text can be drawn again if the engine fails.
    """
    bound = constraint_of(request)
    values: dict[str, Any] = {name: getattr(request, name) for name in _PLAIN}
    values |= {name: tuple(found) for name in _LISTS if (found := getattr(request, name))}
    values["top_k"] = None if request.top_k is None else max(0, request.top_k)
    values["max_tokens"] = max_tokens
    values["stop"] = _stops(request)
    values["json_schema"] = _schema(request.response_format)
    values["logit_bias"] = _bias(request, vocab_size, ends if request.ignore_eos else frozenset())
    if request.ignore_eos and bound:
        raise ApiError(400, f"ignore_eos and {bound} exclude each other.", param="ignore_eos")
    if request.seed is None:
        values["seed"] = secrets.randbits(31)
    given = {name: value for name, value in values.items() if value is not None}
    proposed = _fewest(request, bound, proposed, given.get("max_tokens", proposed.max_tokens))
    fixed = {"best_of": 1, "guidance": 1.0, "logprobs": logprobs}
    return SamplingConfig(**{**proposed.model_dump(), **given, **fixed})


def _fewest(
    request: SamplingRequest, bound: str | None, proposed: SamplingConfig, max_tokens: int
) -> SamplingConfig:
    """Check the fewest tokens asked for; a proposed number gives way to what is asked."""
    if request.min_tokens and bound:
        raise ApiError(400, f"min_tokens and {bound} exclude each other.", param="min_tokens")
    if request.min_tokens and request.min_tokens > max_tokens:
        raise ApiError(
            400,
            f"min_tokens {request.min_tokens} is above max_tokens {max_tokens}.",
            param="min_tokens",
        )
    fewest = 0 if bound else min(proposed.min_tokens, max_tokens)
    return proposed.model_copy(update={"min_tokens": fewest})


def _stops(request: SamplingRequest) -> tuple[str, ...] | None:
    if request.stop is None:
        return None
    stops = [request.stop] if isinstance(request.stop, str) else request.stop
    return tuple(stop for stop in stops if stop)


def _schema(asked: ResponseFormat | None) -> dict[str, Any] | None:
    if asked is None or asked.type == "text":
        return None
    if asked.type == "json_object":
        return {"type": "object"}
    if asked.json_schema is None:
        raise ApiError(
            400,
            "response_format of the type json_schema needs json_schema with a schema.",
            param="response_format.json_schema",
        )
    return dict(asked.json_schema.schema_)


def _bias(
    request: SamplingRequest, vocab_size: int, never: frozenset[int]
) -> tuple[tuple[int | str, float], ...] | None:
    if request.logit_bias is None and not never:
        return None
    pairs: list[tuple[int | str, float]] = [(token, _NEVER) for token in sorted(never)]
    for key, gain in (request.logit_bias or {}).items():
        if not (key.isascii() and key.isdigit() and int(key) < vocab_size):
            raise ApiError(
                400,
                f"logit_bias names {key[:20]!r}, which is not the id of a token: ids go from 0 to "
                f"{vocab_size - 1}. POST /tokenize says the ids of a text.",
                param="logit_bias",
            )
        pairs.append((int(key), gain))
    return tuple(pairs)


if __name__ == "__main__":
    print(
        sampling_of(
            SamplingRequest(temperature=0.5, logit_bias={"7": 1.0}),
            SamplingConfig(),
            max_tokens=9,
            logprobs=None,
            vocab_size=256,
            ends=frozenset({0}),
        )
    )
