"""How a continuation is drawn; docs/concepts/decoding.md has the order in which it all applies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from hanlin.config._strict import Strict

__all__ = ["SamplingConfig", "telling_settings"]

Bias = tuple[int | str, float]
_NEUTRAL = {
    "top_p": 1,
    "min_p": 0,
    "typical_p": 1,
    "no_repeat_ngram": 0,
    "min_tokens": 0,
    "repetition_penalty": 1,
}
_CONSTRAINTS = ("json_schema", "regex", "grammar", "choices")


class SamplingConfig(Strict):
    """How a continuation is drawn."""

    max_tokens: int = Field(default=200, ge=1)
    """Tokens to write at most."""
    min_tokens: int = Field(default=0, ge=0)
    """Tokens before which the model cannot end the text; a stop string still does."""
    temperature: float = Field(default=0.8, ge=0)
    """0 takes the likeliest token always."""
    top_k: int = Field(default=0, ge=0)
    """Keep the k likeliest tokens; 0 keeps all."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Keep the likeliest tokens that hold this probability (Holtzman et al. 2020)."""
    min_p: float = Field(default=0.0, ge=0, le=1)
    """Keep tokens at least this share as likely as the likeliest."""
    typical_p: float = Field(default=1.0, gt=0, le=1)
    """Keep the tokens nearest to the expected surprise that hold this probability (Meister et al.
    2023); 1 keeps all."""
    repetition_penalty: float = Field(default=1.0, gt=0)
    """Divide the logits of tokens already seen (Keskar et al. 2019)."""
    presence_penalty: float = Field(default=0.0, ge=-2, le=2)
    """Taken from the logit of every token already written."""
    frequency_penalty: float = Field(default=0.0, ge=-2, le=2)
    """Taken from the logit of a token for each time that it was written."""
    dry_multiplier: float = Field(default=0.0, ge=0)
    """Strength of the penalty on going on with what was said before (DRY); 0 leaves it out."""
    dry_base: float = Field(default=1.75, ge=1)
    """Growth of that penalty with each further repeated token."""
    dry_allowed: int = Field(default=2, ge=1)
    """Repeated tokens from which on it counts."""
    dry_breakers: tuple[str, ...] = ("\n", ":", '"', "*", "，", "。", "：", "“", "”")
    """Texts that no repetition reaches across."""
    no_repeat_ngram: int = Field(default=0, ge=0)
    """No n tokens in a row are written twice, those of the prompt included; 0 leaves it out."""
    logit_bias: tuple[Bias, ...] = ()
    """Pairs of a token (its id, or a text that is one token) and what its logit gains."""
    banned: tuple[str, ...] = ()
    """Texts that are never written, in whatever tokens."""
    forced: tuple[str, ...] = ()
    """Texts that must be written: the missing ones come where the text would end."""
    json_schema: str = ""
    """A JSON schema that the text must fit."""
    regex: str = ""
    """A regular expression that the whole text must match."""
    grammar: str = ""
    """A grammar in Lark's notation, from `start`, that the whole text must follow."""
    choices: tuple[str, ...] = ()
    """Texts of which the continuation must be one."""
    guidance: float = Field(default=1.0, ge=0)
    """How far the prompt counts beyond the text without it (Sanchez et al. 2023); 1 leaves it
    out."""
    negative_prompt: str = ""
    """What guidance leads away from; without one, the prompt's last token alone."""
    best_of: int = Field(default=1, ge=1)
    """Texts that are drawn for each one returned: the likeliest by the mean of its tokens."""
    logprobs: int | None = Field(default=None, ge=0, le=100)
    """Return each token's log-probability, and those of so many of the likeliest beside it."""
    stop: tuple[str, ...] = ()
    """Strings at which the text ends; they are not part of it."""
    seed: int | None = None
    """Seed of the draw; without one, each call draws anew."""

    @property
    def is_constrained(self) -> bool:
        """Whether a schema, regular expression, grammar or choice binds the text."""
        return any(getattr(self, name) for name in _CONSTRAINTS)

    @field_validator("logit_bias", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        return tuple(value.items()) if isinstance(value, Mapping) else value

    @field_validator("json_schema", mode="before")
    @classmethod
    def _written_out(cls, value: Any) -> Any:
        return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else value

    @model_validator(mode="after")
    def _room_for_the_fewest(self) -> Self:
        if self.min_tokens > self.max_tokens:
            raise ValueError(
                f"min_tokens {self.min_tokens} is above max_tokens {self.max_tokens}; lower it, or "
                "raise max_tokens"
            )
        if self.min_tokens and self.is_constrained:
            given = next(name for name in _CONSTRAINTS if getattr(self, name))
            raise ValueError(f"min_tokens and {given} exclude each other; put the length into it")
        return self

    @model_validator(mode="after")
    def _one_constraint(self) -> Self:
        given = [name for name in _CONSTRAINTS if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other; give one")
        if given and self.forced:
            raise ValueError(f"forced and {given[0]} exclude each other; put the text into it")
        return self


def telling_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings without those that change nothing.

    >>> telling_settings({"temperature": 1.0, "top_p": 1.0, "min_p": 0.05})
    {'temperature': 1.0, 'min_p': 0.05}
    """
    return {key: value for key, value in settings.items() if value != _NEUTRAL.get(key)}
