"""Classification by a label that is written out: `text <|target|> label`.

The label is chosen among those that the examples have, by its probability after the text; nothing
is added to the model. Beside it stands the control that always says the commonest label. A task
with a `head` says the label by output nodes instead: hanlin.tasks.labels.

    python -m hanlin.tasks.classify
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

from hanlin.tasks.base import Encoded, Measured, Task
from hanlin.tasks.sources import Record
from hanlin.text import find_language, short_language

if TYPE_CHECKING:
    from hanlin.generation import Engine
    from hanlin.text.world import Language, Story
    from hanlin.tokenizers import Tokenizer

__all__ = ["Classify", "Labelled", "choose_label", "label_prompt", "label_scores", "read_labelled"]

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
    text2: str = ""
    """The second text of a pair."""


class Classify(Task[Labelled]):
    """One label out of a few."""

    name = "classify"
    control = ("<|target|>",)
    scores = ("accuracy",)

    def read(self, record: Record) -> Iterable[Labelled]:
        """Return the example of a record with `text`, maybe `text2`, and `label`."""
        return [read_labelled(record)]

    def invent(self, story: Story, language: Language, rng: random.Random) -> Iterable[Labelled]:
        """Return a request of the toy world with the fact that it leaves out as its label."""
        request = story.request(language, rng)
        return [Labelled(request.text, _MISSING[language][request.missing], language)]

    def rewrite(self, example: Labelled, change: Callable[[str], str]) -> Labelled:
        """Return a text that is changed; the second of a pair stays."""
        return replace(example, text=change(example.text))

    def language(self, example: Labelled) -> str:
        """Return the text's language."""
        return example.language

    def encode(self, example: Labelled, tokenizer: Tokenizer) -> Encoded:
        """Return text and label; the label is learnt."""
        answer = [*tokenizer.encode(example.label), tokenizer.eot_id]
        return Encoded.of(label_prompt(tokenizer, example.text, example.text2), answer)

    def measure(self, engine: Engine, examples: Sequence[Labelled]) -> Measured:
        """Return accuracy and macro F1 beside the commonest label's."""
        labels = sorted({example.label for example in examples})
        chosen = [choose_label(engine, example.text, labels, example.text2) for example in examples]
        wanted = [example.label for example in examples]
        common = Counter(wanted).most_common(1)[0][0]
        figures = {
            "examples": len(examples),
            "labels": len(labels),
            **label_scores(chosen, wanted, labels),
            "controls": {"commonest": label_scores([common] * len(wanted), wanted, labels)},
        }
        return Measured(figures, chosen, wanted)


def read_labelled(record: Record, field: str = "label") -> Labelled:
    """Return the example of a record; its label is text or a whole number.

    Raises:
        DataError: naming file, line and field.
    """
    text = record.text("text")
    value = record.values.get(field)
    label = str(value) if isinstance(value, int) else record.text(field)
    text2 = record.text("text2") if "text2" in record else ""
    return Labelled(text, label, short_language(find_language(text)), text2)


def choose_label(engine: Engine, text: str, labels: Sequence[str], text2: str = "") -> str:
    """Return the label that is likeliest after a text or a pair, its end included."""
    tokenizer = engine.tokenizer
    prompt = label_prompt(tokenizer, text, text2)

    def likelihood(label: str) -> float:
        logprobs = engine.logprobs([*prompt, *tokenizer.encode(label), tokenizer.eot_id])
        return sum(logprobs[len(prompt) - 1 :])

    return max(labels, key=likelihood)


def label_prompt(tokenizer: Tokenizer, text: str, text2: str) -> list[int]:
    """Return what a label is written after: a text, or a pair."""
    ids = tokenizer.encode(text)
    if text2:
        ids += [tokenizer.control["<|sep|>"], *tokenizer.encode(text2)]
    return [tokenizer.eot_id, *ids, tokenizer.control["<|target|>"]]


def label_scores(
    chosen: Sequence[str], wanted: Sequence[str], labels: Sequence[str]
) -> dict[str, float]:
    """Return accuracy, and the mean over the labels that occur of their F1.

    >>> label_scores(["a", "a"], ["a", "b"], ["a", "b"])
    {'accuracy': 0.5, 'macro_f1': 0.3333333333333333}
    """
    pairs = list(zip(chosen, wanted, strict=True))
    scores = []
    for label in labels:
        both = sum(pair == (label, label) for pair in pairs)
        named = list(chosen).count(label) + list(wanted).count(label)
        if named:
            scores.append(2 * both / named)
    return {"accuracy": fmean(a == b for a, b in pairs), "macro_f1": fmean(scores)}


if __name__ == "__main__":
    print(label_scores(["a", "a"], ["a", "b"], ["a", "b"]))
