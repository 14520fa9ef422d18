"""Dialogue that asks back: the first token of a turn decides, then comes the question or the reply.

    <|im_start|>assistant
    <|ask|>Whom should I give the ball to?<|im_end|>

Behind a question the assistant may offer choices, behind a reply related questions, each after a
`<|sep|>`; a chat shows them for the user to take up.

The dialogue is written with the tokenizer's own chat template, decisions and offers too, so that
any server that renders it asks in the tokens that were taught; only what the assistant says is
learnt, the decision among it. Requests of the toy world leave facts out; there a
simulated user answers (`hanlin.tasks.clarifying`).

    python -m hanlin.tasks.dialogue
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hanlin.errors import UserError
from hanlin.evaluation import chrf, rouge
from hanlin.tasks.base import Encoded, Measured, Task, answer_limit, write_answers
from hanlin.tasks.clarifying import measure_requests
from hanlin.tasks.sources import Message, Record, read_messages
from hanlin.tasks.turns import (
    ASK_ABOVE,
    Talk,
    ask_probabilities,
    opened_prompt,
    read_turn,
    turn_prompt,
)
from hanlin.text import find_language, short_language
from hanlin.text.world import choices, related, wide_request
from hanlin.tokenizers.chat import apply_chat_template

if TYPE_CHECKING:
    from hanlin.generation import Engine
    from hanlin.text.world import Language, Request, Story
    from hanlin.tokenizers import Tokenizer

__all__ = ["Dialogue"]


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
        turns = [message.as_dict() for message in example.messages]
        ids, mask = apply_chat_template(tokenizer, turns)
        return Encoded(tuple(ids), tuple(map(bool, mask)))

    def measure(self, engine: Engine, examples: Sequence[Talk]) -> Measured:
        """Return how well it decides and replies; requests are played through with a user."""
        requests = [talk for talk in examples if talk.request is not None]
        if requests:
            return measure_requests(engine, requests)
        return _measure_replies(engine, examples)


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


def _measure_replies(engine: Engine, examples: Sequence[Talk]) -> Measured:
    """Measure the last reply of dialogues from a file, against that of the file."""
    tokenizer = engine.tokenizer
    prompts = [turn_prompt(tokenizer, talk.messages[:-1]) for talk in examples]
    asked = [found >= ASK_ABOVE for found in ask_probabilities(engine, prompts)]
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
