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
from hanlin.tasks.dialogue import ASK_ABOVE, ask_probability, opened_prompt, turn_prompt
from hanlin.tasks.keywords import keep_present
from hanlin.tasks.sources import Decision, Message, Record, read_turns
from hanlin.tasks.summarize import write_plan, write_summary
from hanlin.tasks.translate import Side, source_prompt
from hanlin.text import find_language, short_language

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
    """Old turns that no longer fit the model's context."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary, and the keywords that led it."""

    text: str
    keywords: tuple[str, ...]
    struck: tuple[str, ...]
    """Keywords that the document does not hold."""


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
        """Return the assistant's turn."""
        return self.as_reply(self._engine.generate(self._opened, sampling).text)

    def stream(self, sampling: SamplingConfig) -> Iterator[str]:
        """Yield the assistant's turn as it is written."""
        yield from self._engine.stream(self._opened, sampling)

    def as_reply(self, text: str) -> Reply:
        """Return what was written, with the decision before it."""
        message = Message("assistant", text.strip(), "ask" if self.asks else "answer")
        return Reply(message, self.ask_probability, self.left_out)

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

    Raises:
        UserError: there is no text, or the document holds none of the given keywords.
    """
    if not document.strip():
        raise UserError("There is no text to summarise.")
    document = document.strip()
    if keywords is None:
        plan = write_plan(engine, document, short_language(find_language(document)))
        kept, struck = plan.keywords, plan.invented
    else:
        kept = keep_present(keywords, document)
        struck = tuple(word for word in keywords if not keep_present([word], document))
    if not kept:
        raise UserError(
            f"The document holds none of the keywords {list(struck)}. Give words that stand in it, "
            "or none to let the model choose."
        )
    return Summary(write_summary(engine, document, kept, sampling), kept, struck)


def translate_text(engine: Engine, text: str, to: Side, sampling: SamplingConfig) -> str:
    """Return a translation.

    Raises:
        UserError: there is no text, or no such language.
    """
    if to not in ("zh", "en"):
        raise UserError(f"A text is translated to 'zh' or 'en', not to {to!r}.")
    if not text.strip():
        raise UserError("There is no text to translate.")
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
