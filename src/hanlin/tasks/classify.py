"""Classification by a label that is written out: `text <|target|> label`.

The label is chosen among those that the examples have, by its probability after the text; nothing
is added to the model. Beside it stands the control that always says the commonest label.

    python -m hanlin.tasks.classify
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from hanlin.tasks.base import Encoded, Measured, Task
from hanlin.tasks.sources import Record
from hanlin.text import find_language, short_language

if TYPE_CHECKING:
    from hanlin.generation import Engine
    from hanlin.text.world import Language, Story
    from hanlin.tokenizers import Tokenizer

__all__ = ["Classify", "Labelled", "choose_label"]

_MISSING = {
    "zh": {None: "完整", "who": "缺谁", "what": "缺什么", "where": "缺哪里"},
    "en": {None: "complete", "who": "no who", "what": "no what", "where": "no where"},
}


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and its label."""

    text: str
    label: str
    language: str


class Classify(Task[Labelled]):
    """One label out of a few."""

    name = "classify"
    control = ("<|target|>",)
    scores = ("accuracy",)

    def read(self, record: Record) -> Iterable[Labelled]:
        """Return the example of a record with `text` and `label`."""
        text = record.text("text")
        return [Labelled(text, record.text("label"), short_language(find_language(text)))]

    def invent(self, story: Story, language: Language, rng: random.Random) -> Iterable[Labelled]:
        """Return a request of the toy world with the fact that it leaves out as its label."""
        request = story.request(language, rng)
        return [Labelled(request.text, _MISSING[language][request.missing], language)]

    def language(self, example: Labelled) -> str:
        """Return the text's language."""
        return example.language

    def encode(self, example: Labelled, tokenizer: Tokenizer) -> Encoded:
        """Return text and label; the label is learnt."""
        answer = [*tokenizer.encode(example.label), tokenizer.eot_id]
        return Encoded.of(_prompt(tokenizer, example.text), answer)

    def measure(self, engine: Engine, examples: Sequence[Labelled]) -> Measured:
        """Return accuracy and macro F1 beside the commonest label's."""
        labels = sorted({example.label for example in examples})
        chosen = [choose_label(engine, example.text, labels) for example in examples]
        wanted = [example.label for example in examples]
        common = Counter(wanted).most_common(1)[0][0]
        figures = {
            "examples": len(examples),
            "labels": len(labels),
            **_scores(chosen, wanted, labels),
            "controls": {"commonest": _scores([common] * len(wanted), wanted, labels)},
        }
        return Measured(figures, chosen, wanted)


def choose_label(engine: Engine, text: str, labels: Sequence[str]) -> str:
    """Return the label that is likeliest after a text, its end included."""
    tokenizer = engine.tokenizer
    prompt = _prompt(tokenizer, text)

    def likelihood(label: str) -> float:
        logprobs = engine.logprobs([*prompt, *tokenizer.encode(label), tokenizer.eot_id])
        return sum(logprobs[len(prompt) - 1 :])

    return max(labels, key=likelihood)


def _prompt(tokenizer: Tokenizer, text: str) -> list[int]:
    return [tokenizer.eot_id, *tokenizer.encode(text), tokenizer.control["<|target|>"]]


def _scores(
    chosen: Sequence[str], wanted: Sequence[str], labels: Sequence[str]
) -> dict[str, float]:
    """Return accuracy, and the mean over the labels of their F1.

    >>> _scores(["a", "a"], ["a", "b"], ["a", "b"])
    {'accuracy': 0.5, 'macro_f1': 0.3333333333333333}
    """
    pairs = list(zip(chosen, wanted, strict=True))
    scores = []
    for label in labels:
        both = sum(pair == (label, label) for pair in pairs)
        scores.append(2 * both / (list(chosen).count(label) + list(wanted).count(label)))
    return {"accuracy": fmean(a == b for a, b in pairs), "macro_f1": fmean(scores)}


if __name__ == "__main__":
    print(_scores(["a", "a"], ["a", "b"], ["a", "b"]))
