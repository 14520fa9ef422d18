"""What a request may hold: OpenAI's fields, and ours beside them, each checked by type and range.

Null means the same as a field left out. A field of OpenAI's API that has no meaning here is passed
over, and the answer's header `X-Hanlin-Ignored` names it; a field that nobody knows is refused.

python -m hanlin.serving.schemas
"""

from __future__ import annotations

import difflib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from hanlin.serving.errors import ApiError

__all__ = [
    "ChatRequest",
    "CompletionRequest",
    "DetokenizeRequest",
    "EmbeddingsRequest",
    "ResponseFormat",
    "SamplingRequest",
    "TokenizeRequest",
    "Turn",
]

_WITHOUT_MEANING = frozenset(
    {
        "metadata",
        "parallel_tool_calls",
        "prediction",
        "prompt_cache_key",
        "reasoning_effort",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
        "verbosity",
    }
)
"""Fields of OpenAI's API that change nothing that a client could see in the answer's text."""

Text = Annotated[str, Field(min_length=1)]


class _Body(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="allow", allow_inf_nan=False, protected_namespaces=()
    )

    @model_validator(mode="before")
    @classmethod
    def _is_text(cls, value: Any) -> Any:
        """Refuse half of a surrogate pair, which JSON can spell and no text can hold."""
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("it holds half of a surrogate pair, which is no character") from None
        return value

    def check_unknown(self) -> list[str]:
        """Return the fields that are passed over.

        Raises:
            ApiError: a field is unknown.
        """
        extra = sorted(self.model_extra or {})
        for name in extra:
            if name not in _WITHOUT_MEANING:
                known = [*type(self).model_fields, *_WITHOUT_MEANING]
                near = difflib.get_close_matches(name, known, n=1)
                hint = f" Is `{near[0]}` meant?" if near else ""
                raise ApiError(
                    400, f"There is no field {name!r} here.{hint}", param=name, code="unknown_field"
                )
        return extra


class _Exact(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class StreamOptions(_Exact):
    """What a stream tells beside the text."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class JsonSchema(BaseModel):
    """A schema with its name."""

    model_config = ConfigDict(strict=True, extra="ignore")

    name: str = ""
    schema_: dict[str, JsonValue] = Field(alias="schema")


class ResponseFormat(_Exact):
    """What the text has to be."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class SamplingRequest(_Body):
    """How a text is drawn; what is left out is as the model proposes."""

    model: str | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=-1)
    min_p: float | None = Field(default=None, ge=0, le=1)
    typical_p: float | None = Field(default=None, gt=0, le=1)
    repetition_penalty: float | None = Field(default=None, gt=0, le=10)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    dry_multiplier: float | None = Field(default=None, ge=0, le=10)
    no_repeat_ngram: int | None = Field(default=None, ge=0, le=100)
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    banned: Annotated[list[Text], Field(max_length=64)] | None = None
    forced: Annotated[list[Text], Field(max_length=16)] | None = None
    min_tokens: int | None = Field(default=None, ge=0)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63 - 1024)
    stop: str | Annotated[list[str], Field(max_length=16)] | None = None
    ignore_eos: bool | None = None
    n: int | None = Field(default=None, ge=1, le=128)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    response_format: ResponseFormat | None = None
    regex: Text | None = None
    grammar: Text | None = None
    choices: Annotated[list[Text], Field(min_length=1, max_length=1000)] | None = None

    @property
    def wants_usage(self) -> bool:
        """Whether the stream ends with the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)


class CompletionRequest(SamplingRequest):
    """The body of `POST /v1/completions`."""

    prompt: str | list[str] | list[int] | list[list[int]] | None = None
    max_tokens: int | None = Field(default=None, ge=0)
    best_of: int | None = Field(default=None, ge=1, le=128)
    echo: bool | None = None
    suffix: str | None = None
    logprobs: int | None = Field(default=None, ge=0, le=20)


class Part(_Exact):
    """A part of a message's content."""

    type: Literal["text"]
    text: str


class Turn(BaseModel):
    """A message; `decision` and `offers` are what an earlier answer of this server said."""

    model_config = ConfigDict(strict=True, extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None
    decision: Literal["ask", "answer"] | None = None
    offers: list[str] | None = None

    @property
    def text(self) -> str:
        """The content as one text."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class ChatRequest(SamplingRequest):
    """The body of `POST /v1/chat/completions`."""

    messages: Annotated[list[Turn], Field(min_length=1)]
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    tools: list[JsonValue] | None = None
    tool_choice: JsonValue = None
    functions: list[JsonValue] | None = None
    function_call: JsonValue = None
    modalities: list[Literal["text"]] | None = None
    ask_above: float | None = Field(default=None, gt=0, lt=1)
    """The probability of asking back from which the model does."""
    offer: bool | None = None
    """Whether the answer says what the model offers behind its turn."""
    drop_old_turns: bool | None = None
    """Whether old turns that no longer fit are left out, rather than the request refused."""


class EmbeddingsRequest(_Body):
    """The body of `POST /v1/embeddings`."""

    model: str | None = None
    input: (
        str
        | Annotated[list[int], Field(min_length=1)]
        | Annotated[list[str], Field(min_length=1, max_length=2048)]
        | Annotated[list[list[int]], Field(min_length=1, max_length=2048)]
    )
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = Field(default=None, ge=1)


class TokenizeRequest(_Body):
    """The body of `POST /tokenize`."""

    model: str | None = None
    prompt: str


class DetokenizeRequest(_Body):
    """The body of `POST /detokenize`."""

    model: str | None = None
    tokens: list[int]


if __name__ == "__main__":
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": "你好"}], "user": "me"}
    print(ChatRequest(**asked).check_unknown())
