"""A taught model at work: the next turn of a dialogue, a summary, a translation.

reply = Conversation(engine, messages).reply(sampling)

python -m hanlin.tasks.use FOLDER
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hanlin.config import SamplingConfig
from hanlin.errors import UserError
from hanlin.tasks.keywords import keep_present
from hanlin.tasks.languages import known_language
from hanlin.tasks.offering import find_offers
from hanlin.tasks.parts import join_summaries
from hanlin.tasks.plans import Plan, split_for, write_plan, write_summary
from hanlin.tasks.sources import Decision, Message, Record, read_turns
from hanlin.tasks.translate import Side, source_prompt
from hanlin.tasks.turns import ASK_ABOVE, ask_probability, opened_prompt, turn_prompt

if TYPE_CHECKING:
    from hanlin.generation import Engine

__all__ = ["Conversation", "Reply", "Summary", "summarize_text", "translate_text"]

_LEAST_ROOM = 32
"""Tokens that a reply has at least before old turns are left out; a quarter of a small context."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the assistant says next."""

    message: Message
    ask_probability: float
    """How sure it was that something is missing."""
    left_out: int
    """Old turns that no longer fit the context, or that come before the first of the user."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary, and the keywords that led it."""

    text: str
    keywords: tuple[str, ...]
    struck: tuple[str, ...]
    """Keywords that the document does not hold."""
    parts: int = 1
    """Parts that a document longer than the context was cut into."""


class Conversation:
    """A dialogue at the point where the assistant speaks next."""

    def __init__(
        self,
        engine: Engine,
        messages: Sequence[Mapping[str, Any]],
        *,
        threshold: float = ASK_ABOVE,
    ) -> None:
        """Take messages with `role`, `content` and, of the assistant, maybe `decision`.

        Raises:
            UserError: a message is wrong, or the last one is not the user's or does not fit.
        """
        self._engine, self._threshold = engine, threshold
        turns = read_turns(Record({"messages": list(messages)}, "the dialogue"))
        if turns[-1].role != "user":
            raise UserError(
                f"The last message is of the {turns[-1].role}; the assistant answers a user. "
                "Let the dialogue end with a message of the role 'user'."
            )
        self._prompt, self.left_out = _fit(engine, turns)

    @cached_property
    def ask_probability(self) -> float:
        """How sure the model is that something is missing."""
        return ask_probability(self._engine, self._prompt)

    @property
    def asks(self) -> bool:
        """Whether the next turn asks back."""
        return self.ask_probability >= self._threshold

    def reply(self, sampling: SamplingConfig) -> Reply:
        """Return the assistant's turn, with what it offers."""
        return self.as_reply(self._speaking.generate(self._opened, sampling).text, sampling)

    def stream(self, sampling: SamplingConfig) -> Iterator[str]:
        """Yield the assistant's turn as it is written, without what it offers."""
        yield from self._speaking.stream(self._opened, sampling)

    def as_reply(self, text: str, sampling: SamplingConfig) -> Reply:
        """Return what was written, with the decision before it and what is offered behind it."""
        said = text.strip()
        offers = find_offers(self._engine, self._opened, said, sampling) if said else ()
        message = Message("assistant", said, "ask" if self.asks else "answer", offers)
        return Reply(message, self.ask_probability, self.left_out)

    @property
    def _speaking(self) -> Engine:
        return self._engine.ending_at("<|sep|>")

    @property
    def _opened(self) -> list[int]:
        decision: Decision = "ask" if self.asks else "answer"
        return opened_prompt(self._engine.tokenizer, self._prompt, decision)


def summarize_text(
    engine: Engine,
    document: str,
    keywords: Sequence[str] | None,
    sampling: SamplingConfig,
) -> Summary:
    """Return a summary led by keywords: given ones in their order, or the model's own.

    A document longer than the context is cut into parts, each is summarised, and the summaries are
    joined. Given keywords then lead each part that holds some of them, the part with the first of
    them first; parts that hold none are left out.

    Raises:
        UserError: there is no text, it is neither Chinese nor English, or it holds none of the
            given keywords.
    """
    if not document.strip():
        raise UserError("There is no text to summarise.")
    document = document.strip()
    language = known_language(document, "The document")
    cut = split_for(engine, document)
    parts = [(part, _plan(engine, part, language, keywords)) for part in cut]
    struck = tuple(word for word in keywords or () if not keep_present([word], document))
    if keywords is not None:
        parts = [(part, plan) for part, plan in parts if plan.keywords]
        order = {word: number for number, word in enumerate(keywords)}
        parts.sort(key=lambda pair: min(order[word] for word in pair[1].keywords))
    if not parts:
        raise UserError(
            f"The document holds none of the keywords {list(struck)}. Give words that stand in it, "
            "or none to let the model choose."
        )
    texts = [write_summary(engine, part, plan.keywords, sampling) for part, plan in parts]
    named = dict.fromkeys(word for _, plan in parts for word in plan.keywords)
    invented = dict.fromkeys(word for _, plan in parts for word in plan.invented)
    return Summary(
        join_summaries(texts, language),
        keep_present(keywords, document) if keywords is not None else tuple(named),
        struck if keywords is not None else tuple(invented),
        len(parts),
    )


def _plan(engine: Engine, part: str, language: str, keywords: Sequence[str] | None) -> Plan:
    """Return a part's plan: the given keywords that it holds, or what the model chooses."""
    if keywords is None:
        return write_plan(engine, part, language)
    return Plan(keep_present(keywords, part), ())


def translate_text(engine: Engine, text: str, to: Side, sampling: SamplingConfig) -> str:
    """Return a translation.

    Raises:
        UserError: there is no text, it is neither Chinese nor English, or no such language.
    """
    if to not in ("zh", "en"):
        raise UserError(f"A text is translated to 'zh' or 'en', not to {to!r}.")
    if not text.strip():
        raise UserError("There is no text to translate.")
    known_language(text, "The text to translate")
    return engine.generate(source_prompt(engine.tokenizer, text.strip(), to), sampling).text.strip()


def _fit(engine: Engine, turns: Sequence[Message]) -> tuple[list[int], int]:
    """Return the prompt of a dialogue's newest turns that leave room to reply.

    The system's message stays; older turns are left out in front, a user's turn coming first.
    """
    context = engine.model.config.context_length
    room = context - min(_LEAST_ROOM, context // 4)
    system = [turn for turn in turns[:1] if turn.role == "system"]
    rest = list(turns[len(system) :])
    starts = [n for n, turn in enumerate(rest) if turn.role == "user"]
    for start in starts:
        prompt = turn_prompt(engine.tokenizer, [*system, *rest[start:]])
        if len(prompt) <= room:
            return prompt, start
    raise UserError(
        f"The last message has {len(prompt)} tokens with its frame and leaves no room to reply in "
        f"the model's context of {context}. Shorten it to fewer than {room} tokens."
    )


if __name__ == "__main__":
    import sys
    from pathlib import Path

    from hanlin.generation import Engine as TheEngine
    from hanlin.models import load_release
    from hanlin.tokenizers import load_tokenizer

    place = Path(sys.argv[1])
    working = TheEngine(load_release(place), load_tokenizer(place))
    said = [{"role": "user", "content": "请把球送人。"}]
    print(Conversation(working, said).reply(SamplingConfig(temperature=0)))
