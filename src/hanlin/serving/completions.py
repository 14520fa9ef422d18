"""`POST /v1/completions`: texts go on from prompts, or are written between two.

    curl http://127.0.0.1:8000/v1/completions -H 'Content-Type: application/json' \\
         -d '{"prompt": "从前", "max_tokens": 40}'

python -m hanlin.serving.completions
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hanlin.config import SamplingConfig
from hanlin.generation import TokenLogprob
from hanlin.generation.best import mean_logprob
from hanlin.serving.errors import ApiError
from hanlin.serving.frames import Frame, finish_of, timings_of, usage_of
from hanlin.serving.notes import CompletionNotes, Noted
from hanlin.serving.schemas import CompletionRequest
from hanlin.serving.scoring import note_prompt
from hanlin.serving.served import Served
from hanlin.serving.service import Service
from hanlin.serving.settings import constraint_of, sampling_of
from hanlin.serving.streaming import Events
from hanlin.serving.texts import Text, merge

__all__ = ["CompletionAnswer", "prepare_completion"]

Shown = TokenLogprob | bytes


@dataclass
class _Given:
    """One prompt."""

    ids: list[int]
    text: str
    """What `echo` gives back."""
    hidden: int
    """Tokens in front of the text that are no part of it."""
    notes: list[Shown] = field(default_factory=list)


@dataclass
class CompletionAnswer:
    """A request that is understood, and its texts."""

    request: CompletionRequest
    given: list[_Given]
    sampling: SamplingConfig
    frame: Frame
    texts: list[Text]

    @property
    def _each(self) -> int:
        return self.request.n or 1

    def _texts_of(self, number: int) -> list[Text]:
        drawn = len(self.texts) // len(self.given)
        return self.texts[number * drawn : (number + 1) * drawn]

    async def whole(self) -> dict[str, Any]:
        """Return the answer once all is written."""
        await asyncio.gather(*(text.finish() for text in self.texts))
        choices = [
            choice for number, given in enumerate(self.given) for choice in self._of(number, given)
        ]
        for index, choice in enumerate(choices):
            choice["index"] = index
        more = {"timings": timings_of(self.texts[0])} if len(self.texts) == 1 else {}
        return self.frame.around(choices, usage=self.usage(), **more)

    def usage(self) -> dict[str, Any]:
        """Return the tokens of the request."""
        return usage_of(sum(len(given.ids) for given in self.given), self.texts)

    def _of(self, number: int, given: _Given) -> list[dict[str, Any]]:
        echoed = given.text if self.request.echo else ""
        if not self.texts:
            notes = CompletionNotes().show(given.notes) if self.noting else None
            return [{"text": echoed, "index": 0, "logprobs": notes, "finish_reason": "length"}]
        texts = self._texts_of(number)
        if len(texts) > self._each:
            texts = sorted(texts, key=lambda text: -mean_logprob(text.completion))[: self._each]
        return [
            {
                "text": echoed + text.completion.text,
                "index": 0,
                "logprobs": self._notes(given, text),
                **finish_of(text),
            }
            for text in texts
        ]

    @property
    def noting(self) -> bool:
        """Whether log-probabilities are asked for."""
        return self.request.logprobs is not None

    def _notes(self, given: _Given, text: Text) -> dict[str, Any] | None:
        if not self.noting:
            return None
        done = text.completion
        written = Noted().take(done.logprobs, done.text, ended=not self.sampling.stop)
        return CompletionNotes().show([*given.notes, *written])

    async def events(self) -> Events:
        """Yield the answer in chunks."""
        usage: dict[str, Any] = {"usage": None} if self.request.wants_usage else {}
        forms = [CompletionNotes() for _ in self.texts]
        noted = [Noted() for _ in self.texts]

        def chunk(index: int, text: str, notes: Sequence[Shown], **end: Any) -> dict[str, Any]:
            shown = forms[index].show(notes) if self.noting and notes else None
            choice = {"text": text, "index": index, "logprobs": shown, "finish_reason": None}
            return {**choice, **end}

        for index in range(len(self.texts)) if self.request.echo else ():
            given = self.given[index // self._each]
            yield self.frame.around([chunk(index, given.text, given.notes)], **usage)
        async for index, piece in merge(self.texts):
            text = self.texts[index]
            if piece is not None:
                notes = noted[index].take(text.notes, piece)
                yield self.frame.around([chunk(index, piece, notes)], **usage)
                continue
            notes = noted[index].take(text.notes, "", ended=not self.sampling.stop)
            last = chunk(index, "", notes, **finish_of(text))
            more = {"timings": timings_of(text)} if len(self.texts) == 1 else {}
            yield self.frame.around([last], **usage, **more)
        if self.request.wants_usage:
            yield self.frame.around([], usage=self.usage())


async def prepare_completion(service: Service, request: CompletionRequest) -> CompletionAnswer:
    """Check a request and send its texts to be written.

    Raises:
        ApiError: the request cannot be answered; the field is named.
    """
    served = service.served
    drawn = _check(service, request)
    given = await asyncio.to_thread(_given, served, request)
    if drawn * len(given) > service.config.max_texts:
        raise ApiError(
            400,
            f"{len(given)} prompts with {drawn} texts each are {drawn * len(given)} texts; a "
            f"request may ask for {service.config.max_texts}.",
            param="n" if drawn > 1 else "prompt",
        )
    for each in given:
        served.check_room(each.ids, "prompt")
    only_echo = request.max_tokens == 0
    sampling = sampling_of(
        request,
        served.model.proposed,
        max_tokens=request.max_tokens or None,
        logprobs=request.logprobs if drawn == (request.n or 1) else request.logprobs or 0,
        vocab_size=service.engine.vocabulary.size,
        ends=service.engine.vocabulary.ends,
    )
    if request.echo and request.logprobs is not None:
        await _note_prompts(service, given, request.logprobs)
    asked = [
        (each.ids, sampling.model_copy(update={"seed": (sampling.seed or 0) + row}))
        for row, each in enumerate(each for each in given for _ in range(drawn))
    ]
    sent = [] if only_echo else await service.submit(asked, param=constraint_of(request))
    frame = Frame("cmpl", "text_completion", served.name)
    return CompletionAnswer(request, given, sampling, frame, sent)


def _check(service: Service, request: CompletionRequest) -> int:
    """Check how fields go together; return how many texts are drawn for each prompt."""
    kept, drawn = request.n or 1, request.best_of or request.n or 1
    if drawn < kept:
        raise ApiError(400, f"best_of {drawn} is below n {kept}.", param="best_of")
    if drawn > kept and request.stream:
        raise ApiError(
            400,
            "The best of several texts is known only when all are written, so best_of cannot be "
            "streamed.",
            param="best_of",
        )
    if request.suffix is not None and request.echo:
        raise ApiError(400, "echo and suffix exclude each other.", param="echo")
    if request.max_tokens == 0 and (not request.echo or request.stream):
        raise ApiError(
            400, "max_tokens 0 writes nothing; it needs echo, and no stream.", param="max_tokens"
        )
    if request.prompt is None or request.prompt == []:
        raise ApiError(
            400, "prompt is missing. Give a text, ids, or a list of them.", param="prompt"
        )
    return drawn


def _given(served: Served, request: CompletionRequest) -> list[_Given]:
    prompt = request.prompt
    if isinstance(prompt, str):
        return [_of_text(served, request, prompt)]
    assert prompt is not None
    several: Sequence[Any] = [prompt] if isinstance(prompt[0], int) else prompt
    return [
        _of_text(served, request, each) if isinstance(each, str) else _of_ids(served, request, each)
        for each in several
    ]


def _of_text(served: Served, request: CompletionRequest, text: str) -> _Given:
    if request.suffix is not None:
        return _Given(served.between(text, request.suffix), text, 0)
    ids = served.document(text) or [served.model.tokenizer.eot_id]
    return _Given(ids, text, 0 if served.is_foreign and text else 1)


def _of_ids(served: Served, request: CompletionRequest, ids: list[int]) -> _Given:
    if request.suffix is not None:
        raise ApiError(400, "suffix needs a prompt of text, not of ids.", param="prompt")
    size = served.model.tokenizer.vocab_size
    wrong = next((id for id in ids if not 0 <= id < size), None)
    if wrong is not None or not ids:
        what = "An empty list is no prompt" if wrong is None else f"There is no token {wrong}"
        raise ApiError(400, f"{what}; ids go from 0 to {size - 1}.", param="prompt")
    return _Given(list(ids), served.model.tokenizer.decode(ids), 0)


async def _note_prompts(service: Service, given: Sequence[_Given], count: int) -> None:
    vocabulary = service.engine.vocabulary
    for each in given:
        async with service.scoring:
            known = await asyncio.to_thread(note_prompt, service.engine, each.ids, count)
        notes: list[Shown] = [vocabulary.piece(each.ids[0]), *known]
        each.notes = notes[each.hidden :]


if __name__ == "__main__":
    print(CompletionRequest(prompt="从前", best_of=2))
