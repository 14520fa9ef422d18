"""What the assistant offers behind a turn: choices for its question, or related questions.

Whether it offers anything follows from how it goes on after its words,

    p(offer) = P(<|sep|>) / (P(<|sep|>) + P(<|im_end|>))

which is near 0 for a model whose dialogues never offered anything. Choices are drawn at temperature
1, for the likeliest one again and again would be no choice; related questions follow from what was
said, and are written as the sampling says.

    python -m hanlin.tasks.offering
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from hanlin.config import SamplingConfig
from hanlin.tasks.base import greedy
from hanlin.tasks.turns import read_turn
from hanlin.text.world import Language, Request, are_choices
from hanlin.text.world.entities import Place, noun

if TYPE_CHECKING:
    from hanlin.generation import Engine
    from hanlin.generation.core_engine import CoreEngine

__all__ = ["find_offers", "measure_offers"]

_OFFER_ABOVE = 0.1
"""The probability of offering from which it does: a dialogue in ten that does is enough."""
_TOKENS = 64
_LANGUAGES: tuple[Language, ...] = ("zh", "en")


def find_offers(
    engine: Engine | CoreEngine, opened: Sequence[int], said: str, sampling: SamplingConfig
) -> tuple[str, ...]:
    """Return what is offered behind a turn that said this; nothing where it was never taught."""
    tokenizer = engine.tokenizer
    ends = tokenizer.control.get("<|sep|>"), tokenizer.control.get("<|im_end|>")
    prompt = [*opened, *tokenizer.encode(said)]
    if None in ends or len(prompt) + 1 >= engine.model.config.context_length:
        return ()
    offer, end = (engine.logprobs([*prompt, id])[-1] for id in ends if id is not None)
    if 1 / (1 + math.exp(min(end - offer, 700.0))) < _OFFER_ABOVE:
        return ()
    asks = opened[-1] == tokenizer.control["<|ask|>"]
    limit = _drawn(sampling) if asks else sampling.model_copy(update={"max_tokens": _TOKENS})
    return _read(engine, engine.generate([*prompt, ends[0] or 0], limit).ids)


def measure_offers(
    engine: Engine,
    turns: Sequence[tuple[Sequence[int], Sequence[int]]],
    requests: Sequence[Request],
) -> dict[str, float | None]:
    """Return how often what is offered fits: choices of the missing kind, questions on the matter.

    Each turn is its opened prompt and what was written; the turn of a request with a missing fact
    is taken for a question. Something is offered whether the model would or not.
    """
    separator = engine.tokenizer.control["<|sep|>"]
    room = engine.model.config.context_length - 1
    prompts = [[*opened, *_said(ids, separator), separator] for opened, ids in turns]
    kept = [(p, request) for p, request in zip(prompts, requests, strict=True) if len(p) < room]
    asked = [pair for pair in kept if pair[1].missing]
    replied = [pair for pair in kept if not pair[1].missing]
    fits = {
        "choices_fit": [
            any(are_choices(offers, request.missing, each) for each in _LANGUAGES)
            for offers, request in _offers(engine, asked, _drawn(greedy(_TOKENS)))
            if request.missing
        ],
        "related_fit": [
            _are_related(offers, request)
            for offers, request in _offers(engine, replied, greedy(_TOKENS))
        ],
    }
    return {name: fmean(found) if found else None for name, found in fits.items()}


def _offers(
    engine: Engine, turns: Sequence[tuple[list[int], Request]], sampling: SamplingConfig
) -> Iterator[tuple[tuple[str, ...], Request]]:
    """Yield what is offered behind each turn, with its request; all is written at once."""
    written = engine.generate_batch([prompt for prompt, _ in turns], sampling)
    for done, (_, request) in zip(written, turns, strict=True):
        yield _read(engine, done.ids), request


def _drawn(sampling: SamplingConfig) -> SamplingConfig:
    seed = 0 if sampling.seed is None else sampling.seed
    changes = {"temperature": 1.0, "top_p": 0.95, "max_tokens": _TOKENS, "seed": seed}
    return sampling.model_copy(update=changes)


def _said(ids: Sequence[int], separator: int) -> list[int]:
    listed = list(ids)
    return listed[: listed.index(separator)] if separator in listed else listed


def _read(engine: Engine | CoreEngine, ids: Sequence[int]) -> tuple[str, ...]:
    """Return the offers in what was written after the first separator."""
    return read_turn(engine.tokenizer, [engine.tokenizer.control["<|sep|>"], *ids])[1]


def _are_related(offers: Sequence[str], request: Request) -> bool:
    """Whether two or more questions each name something that the request speaks of."""
    names = [noun(entity, language) for entity in request.about for language in _LANGUAGES]
    names += [entity.zh_at for entity in request.about if isinstance(entity, Place)]
    return len(offers) > 1 and all(
        offer.endswith(("?", "？")) and any(name in offer for name in names) for offer in offers
    )


if __name__ == "__main__":
    import sys
    from pathlib import Path

    from hanlin.generation import Engine as TheEngine
    from hanlin.models import load_release
    from hanlin.tasks.sources import Message
    from hanlin.tasks.turns import opened_prompt, turn_prompt
    from hanlin.tokenizers import load_tokenizer

    place = Path(sys.argv[1])
    working = TheEngine(load_release(place), load_tokenizer(place))
    asked = turn_prompt(working.tokenizer, [Message("user", "请把球送人。")])
    begun = opened_prompt(working.tokenizer, asked, "ask")
    print(find_offers(working, begun, "请问把球给谁？", SamplingConfig(temperature=0)))
