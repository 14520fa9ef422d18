"""The turns of a dialogue in tokens: what stands before one, how it opens, and what it said.

The first token of the assistant's turn is its decision, so that its probability

    p(ask) = P(<|ask|>) / (P(<|ask|>) + P(<|answer|>))

can be held against a threshold: a lower one asks more often.

    python -m hanlin.tasks.turns
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hanlin.tasks.sources import Decision, Message
from hanlin.tokenizers.chat import apply_chat_template

if TYPE_CHECKING:
    from hanlin.generation import Engine
    from hanlin.text.world import Request
    from hanlin.tokenizers import Tokenizer

__all__ = [
    "ASK_ABOVE",
    "MOST_OFFERS",
    "Talk",
    "ask_probabilities",
    "ask_probability",
    "opened_prompt",
    "read_turn",
    "turn_prompt",
]

ASK_ABOVE = 0.5
"""The probability from which the assistant asks back, unless another is given."""
MOST_OFFERS = 3
"""What is offered at most behind a turn."""
_OPENINGS: dict[Decision, str] = {"ask": "<|ask|>", "answer": "<|answer|>"}


@dataclass(frozen=True, slots=True)
class Talk:
    """One dialogue, and the request of the toy world that it is about, if it is one."""

    messages: tuple[Message, ...]
    language: str
    request: Request | None = None


def read_turn(tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[str, tuple[str, ...]]:
    """Return what the assistant said, and what it offered behind it."""
    parts: list[list[int]] = [[]]
    for id in ids:
        if id == tokenizer.control["<|sep|>"]:
            parts.append([])
        else:
            parts[-1].append(id)
    said, *offers = (tokenizer.decode(part).strip() for part in parts)
    return said, tuple(dict.fromkeys(offer for offer in offers if offer))[:MOST_OFFERS]


def turn_prompt(tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
    """Return a dialogue up to where the assistant's next turn begins."""
    turns = [message.as_dict() for message in messages]
    return apply_chat_template(tokenizer, turns, add_generation_prompt=True)[0]


def opened_prompt(tokenizer: Tokenizer, prompt: Sequence[int], decision: Decision) -> list[int]:
    """Return the prompt of a turn whose decision is taken."""
    return [*prompt, tokenizer.control[_OPENINGS[decision]]]


def ask_probability(engine: Engine, prompt: Sequence[int]) -> float:
    """Return the probability of asking back, against that of answering."""
    return ask_probabilities(engine, [prompt])[0]


def ask_probabilities(engine: Engine, prompts: Sequence[Sequence[int]]) -> list[float]:
    """Return `ask_probability` of each prompt; all are read at once."""
    openings = [engine.tokenizer.control[opening] for opening in _OPENINGS.values()]
    return [
        1 / (1 + math.exp(min(answer - ask, 700.0)))
        for ask, answer in engine.next_logprobs(prompts, openings)
    ]


if __name__ == "__main__":
    from hanlin.tokenizers import train_tokenizer

    bpe = train_tokenizer("bpe", ["请把球给小明。"] * 2, 345)
    begun = turn_prompt(bpe, [Message("user", "请把球给小明。")])
    print(bpe.decode(opened_prompt(bpe, begun, "ask"), skip_control=False))
