"""Dialogue that asks back: the first token of a turn decides, then comes the question or the reply.

    <|im_start|>assistant
    <|ask|>Whom should I give the ball to?<|im_end|>

Behind a question the assistant may offer choices, behind a reply related questions, each after a
`<|sep|>`; a chat shows them for the user to take up.

The dialogue is written with the tokenizer's own chat template; only what the assistant says is
learnt, the decision among it. Since the decision is one token, its probability

    p(ask) = P(<|ask|>) / (P(<|ask|>) + P(<|answer|>))

can be held against a threshold: a lower one asks more often. Requests of the toy world leave facts
out; there a simulated user answers (`hanlin.tasks.clarifying`).

    python -m hanlin.tasks.dialogue
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hanlin.errors import UserError
from hanlin.evaluation import chrf, rouge
from hanlin.tasks.base import Encoded, Measured, Task, answer_limit, write_answers
from hanlin.tasks.sources import Decision, Message, Record, read_messages
from hanlin.text import find_language, short_language
from hanlin.text.world import choices, related, wide_request
from hanlin.tokenizers.chat import apply_chat_template

if TYPE_CHECKING:
    from hanlin.generation import Engine
    from hanlin.text.world import Language, Request, Story
    from hanlin.tokenizers import Tokenizer

__all__ = [
    "ASK_ABOVE",
    "MOST_OFFERS",
    "Dialogue",
    "Talk",
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


class Dialogue(Task[Talk]):
    """Several turns of a user and an assistant."""

    name = "dialogue"
    control = ("<|im_start|>", "<|im_end|>", "<|ask|>", "<|answer|>", "<|sep|>")
    scores = ("satisfied", "rouge_l")
    bars: Mapping[str, float] = {"ask_f1": 0.95, "right_fact": 0.9, "satisfied": 0.9}

    def read(self, record: Record) -> Iterable[Talk]:
        """Return the dialogue of a record; `"decision": "ask"` marks a turn that asks back."""
        messages = read_messages(record)
        text = "\n".join(message.content for message in messages)
        return [Talk(messages, short_language(find_language(text)))]

    def invent(self, story: Story, language: Language, rng: random.Random) -> Iterable[Talk]:
        """Return a request about a story, with a question and its answer if a fact is missing."""
        return [_talk(story.request(language, rng), language)]

    def drill(self, story: Story, language: Language, rng: random.Random) -> Iterable[Talk]:
        """Return two requests about anyone and anything, one of them with what can be offered."""
        plain, rich = (wide_request(language, rng) for _ in range(2))
        asked, offered = choices(rich, language, rng), related(rich, language, rng)
        return [_talk(plain, language), _talk(rich, language, asked, offered)]

    def rewrite(self, example: Talk, change: Callable[[str], str]) -> Talk:
        """Return a dialogue whose user's turns are changed.

        Raises:
            UserError: a request of the toy world, whose user is simulated.
        """
        if example.request is not None:
            raise UserError(
                "A request of the toy world cannot be rewritten: its user is simulated."
            )
        turns = (
            replace(turn, content=change(turn.content)) if turn.role == "user" else turn
            for turn in example.messages
        )
        return replace(example, messages=tuple(turns))

    def language(self, example: Talk) -> str:
        """Return the dialogue's language."""
        return example.language

    def encode(self, example: Talk, tokenizer: Tokenizer) -> Encoded:
        """Return the dialogue; the assistant's turns are learnt."""
        ids, mask = apply_chat_template(tokenizer, _shown(example.messages))
        return Encoded((tokenizer.eot_id, *ids), (False, *map(bool, mask)))

    def measure(self, engine: Engine, examples: Sequence[Talk]) -> Measured:
        """Return how well it decides and replies; requests are played through with a user."""
        from hanlin.tasks.clarifying import measure_requests

        requests = [talk for talk in examples if talk.request is not None]
        if requests:
            return measure_requests(engine, requests)
        return _measure_replies(engine, examples)


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
    ids, _ = apply_chat_template(tokenizer, _shown(messages), add_generation_prompt=True)
    return [tokenizer.eot_id, *ids]


def opened_prompt(tokenizer: Tokenizer, prompt: Sequence[int], decision: Decision) -> list[int]:
    """Return the prompt of a turn whose decision is taken."""
    return [*prompt, tokenizer.control[_OPENINGS[decision]]]


def ask_probability(engine: Engine, prompt: Sequence[int]) -> float:
    """Return the probability of asking back, against that of answering."""
    ask, answer = (
        engine.logprobs(opened_prompt(engine.tokenizer, prompt, decision))[-1]
        for decision in _OPENINGS
    )
    return 1 / (1 + math.exp(min(answer - ask, 700.0)))


def _talk(
    request: Request,
    language: Language,
    asked: tuple[str, ...] = (),
    offered: tuple[str, ...] = (),
) -> Talk:
    turns = [Message("user", request.text)]
    if request.missing:
        turns += [
            Message("assistant", request.question, "ask", asked),
            Message("user", request.fact),
        ]
    turns.append(Message("assistant", request.answer, offers=offered))
    return Talk(tuple(turns), language, request)


def _shown(messages: Iterable[Message]) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = []
    for message in messages:
        own = {"opening": _OPENINGS[message.decision], "offers": message.offers}
        said = {"role": message.role, "content": message.content}
        shown.append({**said, **(own if message.role == "assistant" else {})})
    return shown


def _measure_replies(engine: Engine, examples: Sequence[Talk]) -> Measured:
    """Measure the last reply of dialogues from a file, against that of the file."""
    tokenizer = engine.tokenizer
    prompts = [turn_prompt(tokenizer, talk.messages[:-1]) for talk in examples]
    asked = [ask_probability(engine, prompt) >= ASK_ABOVE for prompt in prompts]
    wanted = [talk.messages[-1].decision == "ask" for talk in examples]
    opened = [
        opened_prompt(tokenizer, prompt, "ask" if ask else "answer")
        for prompt, ask in zip(prompts, asked, strict=True)
    ]
    references = [talk.messages[-1].content for talk in examples]
    written = write_answers(engine, opened, answer_limit(tokenizer, references))
    replies = [read_turn(tokenizer, ids)[0] for ids in written]
    pairs = list(zip(replies, references, strict=True))
    likeness = [
        rouge(reply, reference, talk.language)["rouge_l"]
        for (reply, reference), talk in zip(pairs, examples, strict=True)
    ]
    figures = {
        "examples": len(examples),
        "right_decision": sum(a == w for a, w in zip(asked, wanted, strict=True)) / len(examples),
        "exact": sum(reply == reference for reply, reference in pairs) / len(examples),
        "rouge_l": sum(likeness) / len(likeness),
        "chrf": chrf(pairs),
    }
    return Measured(figures, replies, references)


if __name__ == "__main__":
    from hanlin.tokenizers import train_tokenizer

    bpe = train_tokenizer("bpe", ["请把球给小明。"] * 2, 345)
    talk = (Message("user", "请把球送人。"), Message("assistant", "给谁？", "ask"))
    encoded = Dialogue().encode(Talk(talk, "zh"), bpe)
    print(bpe.decode(encoded.ids, skip_control=False), encoded.learnt)
