"""What a model can do once a stage gave it a head: say the label of a text, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence

from hanlin.api.writer import Writer
from hanlin.errors import ModelError
from hanlin.models import ReleasedHead, choose_head, list_heads, read_head
from hanlin.tasks import Classified, classify_texts

__all__ = ["Heads"]


class Heads(Writer):
    """The verbs of classification heads."""

    @property
    def heads(self) -> list[str]:
        """The names of the heads that it classifies by."""
        return list_heads(self.folder)

    def classify(self, text: str, text2: str = "", *, head: str = "") -> Classified:
        """Return the label of a text, or of a pair of texts, with calibrated probabilities.

        `head` names the head; the only one need not be named.

        Raises:
            ModelError: the model was never taught to classify by a head, or not by this one.
            UserError: the text is blank.
        """
        return self.classify_batch([(text, text2)], head=head)[0]

    def classify_batch(
        self, texts: Sequence[str | tuple[str, str]], *, head: str = ""
    ) -> list[Classified]:
        """Return the label of each text or pair."""
        return classify_texts(self.decoder, self.tokenizer, self.released_head(head), texts)

    def released_head(self, name: str = "") -> ReleasedHead:
        """Return a head with its labels, temperature and figures.

        Raises:
            ModelError: there is none of that name, or it does not belong to these weights.
        """
        chosen = choose_head(self.folder, name)
        if self.expansion:
            raise ModelError(
                f"The head {chosen!r} was learnt on the core alone, and the expansion "
                f'{self.expansion!r} is merged into it. Load the model with expansion="".'
            )
        found = read_head(self.folder, chosen, self.decoder.config)
        found.head.to(self.decoder.embedding.weight)
        return found
