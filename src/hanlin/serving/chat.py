"""`POST /v1/chat/completions`: the assistant's next turn in a dialogue.

A model that was taught dialogue decides first whether it asks back or answers. That decision is
written by the scheduler as a text of one token that can only be `<|ask|>` or `<|answer|>`, with

    z(ask) - log(t / (1 - t)) >= z(answer)    if and only if    p(ask) >= t

so that the threshold t is one number added to a logit, and the prompt, once read, is taken over by
the turn itself.

    python -m hanlin.serving.chat
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hanlin.config import SamplingConfig
from hanlin.generation import TokenLogprob
from hanlin.serving.errors import ApiError
from hanlin.serving.frames import Frame, finish_of, timings_of, usage_of
from hanlin.serving.notes import ChatNotes, Noted
from hanlin.serving.schemas import ChatRequest, Turn
from hanlin.serving.service import Service
from hanlin.serving.settings import constraint_of, sampling_of
from hanlin.serving.streaming import Events
from hanlin.serving.texts import Text, cancel_all, merge
from hanlin.tasks import Message
from hanlin.tasks.offering import find_offers
from hanlin.tasks.sources import Decision
from hanlin.tasks.turns import ASK_ABOVE, opened_prompt

__all__ = ["ChatAnswer", "prepare_chat"]

_CERTAIN = 1000.0
"""What lifts the two decisions above all other tokens."""


@dataclass
class ChatAnswer:
    """A request that is understood, and its texts."""

    service: Service
    request: ChatRequest
    prompt: list[int]
    decision: Decision | None
    left_out: int
    sampling: SamplingConfig
    frame: Frame
    texts: list[Text]

    async def whole(self) -> dict[str, Any]:
        """Return the answer once all is written."""
        done = await asyncio.gather(*(text.finish() for text in self.texts))
        choices = []
        for index, (text, completion) in enumerate(zip(self.texts, done, strict=True)):
            said = {"role": "assistant", "content": completion.text, "refusal": None}
            ended = not self.sampling.stop
            notes = Noted().take(completion.logprobs, completion.text, ended=ended)
            choices.append(
                {
                    "index": index,
                    "message": {**said, **self._decided(), **await self._offers(text)},
                    "logprobs": ChatNotes().show(notes) if self.request.logprobs else None,
                    **finish_of(text),
                }
            )
        more = {"timings": timings_of(self.texts[0])} if len(self.texts) == 1 else {}
        return self.frame.around(choices, usage=self.usage(), **more, **self._own())

    def usage(self) -> dict[str, Any]:
        """Return the tokens of the request."""
        return usage_of(len(self.prompt), self.texts)

    async def events(self) -> Events:
        """Yield the answer in chunks."""
        usage: dict[str, Any] = {"usage": None} if self.request.wants_usage else {}
        noted = [Noted() for _ in self.texts]

        def chunk(
            index: int, delta: dict[str, Any], notes: Sequence[TokenLogprob] = (), **end: Any
        ) -> dict[str, Any]:
            shown = ChatNotes().show(notes) if self.request.logprobs and notes else None
            choice = {"index": index, "delta": delta, "logprobs": shown, "finish_reason": None}
            return {**choice, **end}

        for index in range(len(self.texts)):
            opening = {"role": "assistant", "content": "", "refusal": None, **self._decided()}
            yield self.frame.around([chunk(index, opening)], **usage, **self._own())
        async for index, piece in merge(self.texts):
            text = self.texts[index]
            if piece is not None:
                notes = noted[index].take(text.notes, piece)
                yield self.frame.around([chunk(index, {"content": piece}, notes)], **usage)
                continue
            notes = noted[index].take(text.notes, "", ended=not self.sampling.stop)
            if notes:
                yield self.frame.around([chunk(index, {"content": ""}, notes)], **usage)
            last = chunk(index, await self._offers(text), **finish_of(text))
            more = {"timings": timings_of(text)} if len(self.texts) == 1 else {}
            yield self.frame.around([last], **usage, **more)
        if self.request.wants_usage:
            yield self.frame.around([], usage=self.usage())

    def _decided(self) -> dict[str, Any]:
        return {"decision": self.decision} if self.decision else {}

    def _own(self) -> dict[str, Any]:
        return {"hanlin": {"left_out": self.left_out}} if self.left_out else {}

    async def _offers(self, text: Text) -> dict[str, Any]:
        """Return what the model offers behind its turn, where that is asked for."""
        said = text.completion.text.strip()
        if not (self.request.offer and self.decision and said):
            return {}
        engine = self.service.served.engine
        plain = SamplingConfig(seed=self.sampling.seed, temperature=self.sampling.temperature)
        async with self.service.scoring:
            offers = await asyncio.to_thread(find_offers, engine, self.prompt, said, plain)
        return {"offers": list(offers)} if offers else {}


async def prepare_chat(service: Service, request: ChatRequest) -> ChatAnswer:
    """Check a request and send its texts to be written.

    Raises:
        ApiError: the request cannot be answered; the field is named.
    """
    served = service.served
    _check(service, request)
    turns, may_drop = _messages(request), bool(request.drop_old_turns)
    dialogue = await asyncio.to_thread(served.dialogue, turns, may_drop=may_drop)
    served.check_room([*dialogue.prompt, 0] if served.decides else dialogue.prompt, "messages")
    logprobs = (request.top_logprobs or 0) if request.logprobs else None
    sampling = sampling_of(
        request,
        served.model.proposed,
        max_tokens=request.max_completion_tokens or request.max_tokens,
        logprobs=logprobs,
        vocab_size=service.engine.vocabulary.size,
        ends=service.engine.vocabulary.ends,
    )
    prompt, decision = dialogue.prompt, await _decide(service, request, dialogue.prompt)
    if decision is not None:
        prompt = opened_prompt(served.model.tokenizer, prompt, decision)
    asked = [
        (prompt, sampling.model_copy(update={"seed": (sampling.seed or 0) + row}))
        for row in range(request.n or 1)
    ]
    texts = await service.submit(asked, param=constraint_of(request))
    kind = "chat.completion.chunk" if request.stream else "chat.completion"
    frame = Frame("chatcmpl", kind, served.name)
    return ChatAnswer(service, request, prompt, decision, dialogue.left_out, sampling, frame, texts)


def _check(service: Service, request: ChatRequest) -> None:
    served = service.served
    if served.refusal_to_chat:
        raise ApiError(400, served.refusal_to_chat, param="model", code="not_taught")
    for field in ("tools", "functions"):
        if getattr(request, field):
            raise ApiError(
                400,
                f"The model {served.name} calls no tools. Leave {field} out; response_format with "
                "a json_schema binds an answer to a form.",
                param=field,
                code="unsupported",
            )
    for field in ("tool_choice", "function_call"):
        if getattr(request, field) not in (None, "none", "auto"):
            raise ApiError(400, "This model calls no tools.", param=field, code="unsupported")
    if request.top_logprobs is not None and not request.logprobs:
        raise ApiError(400, "top_logprobs needs logprobs: true.", param="top_logprobs")
    if (request.n or 1) > service.config.max_texts:
        raise ApiError(
            400, f"n is {request.n}; at most {service.config.max_texts} are written.", param="n"
        )


def _messages(request: ChatRequest) -> list[Message]:
    messages = [_message(number, turn) for number, turn in enumerate(request.messages)]
    last = len(messages) - 1
    if messages[last].role != "user":
        raise ApiError(
            400,
            f"The last message is of the {messages[last].role}; the assistant answers a user.",
            param=f"messages[{last}].role",
        )
    return messages


def _message(number: int, turn: Turn) -> Message:
    if turn.role in ("tool", "function"):
        raise ApiError(
            400,
            "The results of tools are not understood, for this model calls none.",
            param=f"messages[{number}].role",
            code="unsupported",
        )
    if not turn.text.strip():
        raise ApiError(400, "A message is empty.", param=f"messages[{number}].content")
    if turn.role == "assistant":
        offers = tuple(turn.offers or ())
        return Message("assistant", turn.text, turn.decision or "answer", offers)
    return Message("user" if turn.role == "user" else "system", turn.text)


async def _decide(service: Service, request: ChatRequest, prompt: list[int]) -> Decision | None:
    """Return what the turn is going to be; None where the model was not taught to decide.

    An answer that is bound to a form is an answer.
    """
    if not service.served.decides:
        return None
    if constraint_of(request) is not None:
        return "answer"
    control = service.engine.tokenizer.control
    threshold = request.ask_above or ASK_ABOVE
    shift = math.log(threshold / (1 - threshold))
    bias = ((control["<|ask|>"], _CERTAIN - shift), (control["<|answer|>"], _CERTAIN))
    sampling = SamplingConfig(temperature=0, max_tokens=1, seed=0, logit_bias=bias)
    texts = await service.submit([(prompt, sampling)])
    try:
        done = await texts[0].finish()
    finally:
        cancel_all(texts)
    return "ask" if done.ids == [control["<|ask|>"]] else "answer"


if __name__ == "__main__":
    print(ChatRequest(messages=[Turn(role="user", content="你好")]).messages[0].text)
