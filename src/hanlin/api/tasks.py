"""What a model can do once a stage of kind `task` taught it: talk, summarise, translate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from hanlin.api.writer import Writer
from hanlin.tasks import Conversation, Reply, Summary, summarize_text, translate_text

__all__ = ["Tasks"]


class Tasks(Writer):
    """The verbs that a `task` stage teaches."""

    def chat(self, messages: Sequence[Mapping[str, Any]], **sampling: Any) -> str:
        """Return the assistant's next turn in a dialogue.

        Messages have `role` and `content`; one of the assistant that asked back has `decision`
        "ask".

        Raises:
            ModelError: the model was never taught to talk.
            UserError: a message is wrong, or the last one is not the user's.
        """
        return self.reply(messages, **sampling).message.content

    def stream_chat(
        self, messages: Sequence[Mapping[str, Any]], *, threshold: float = 0.5, **sampling: Any
    ) -> Iterator[str]:
        """Yield the assistant's next turn as it is written."""
        options = self._sampling(sampling)
        yield from self.converse(messages, threshold=threshold).stream(options)

    def reply(
        self, messages: Sequence[Mapping[str, Any]], *, threshold: float = 0.5, **sampling: Any
    ) -> Reply:
        """Return the assistant's next turn with its decision: it asks back, or it answers.

        It asks where its probability of asking reaches `threshold`.
        """
        return self.converse(messages, threshold=threshold).reply(self._sampling(sampling))

    def converse(
        self, messages: Sequence[Mapping[str, Any]], *, threshold: float = 0.5
    ) -> Conversation:
        """Return a dialogue at the point where the assistant speaks next."""
        self.check_taught("dialogue")
        return Conversation(self.engine, messages, threshold=threshold)

    def summarize(self, text: str, keywords: Sequence[str] | None = None, **sampling: Any) -> str:
        """Return a summary led by keywords: given ones in their order, or the model's own.

        The likeliest one is written unless a temperature is given.

        Raises:
            ModelError: the model was never taught to summarise.
            UserError: there is no text, or it holds none of the keywords.
        """
        return self.summarize_by(text, keywords, **sampling).text

    def summarize_by(
        self, text: str, keywords: Sequence[str] | None = None, **sampling: Any
    ) -> Summary:
        """Return a summary with the keywords that led it, and those that were struck out."""
        self.check_taught("summarize")
        options = self._sampling({"temperature": 0, **sampling})
        return summarize_text(self.engine, text, keywords, options)

    def translate(self, text: str, to: Literal["zh", "en"], **sampling: Any) -> str:
        """Return a translation to Chinese or English, the likeliest unless a temperature is given.

        Raises:
            ModelError: the model was never taught to translate.
            UserError: there is no text, or no such language.
        """
        self.check_taught("translate")
        return translate_text(self.engine, text, to, self._sampling({"temperature": 0, **sampling}))
