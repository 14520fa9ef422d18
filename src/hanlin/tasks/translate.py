"""Translation in both directions by one model, told apart by the first token.

    <|zh2en|> source <|target|> target          <|en2zh|> source <|target|> target

A sentence of the toy world is right if it is word for word that of the reference, or if the world's
grammar reads the same event out of it, colours and counts included. Sentences are counted one by
one, and whole stories apart from them: a story is right if every sentence is.

    python -m hanlin.tasks.translate
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from hanlin.evaluation import bleu, chrf
from hanlin.tasks.base import (
    Encoded,
    Measured,
    Task,
    answer_limit,
    running_ids,
    write_answers,
)
from hanlin.tasks.languages import check_columns
from hanlin.tasks.sources import Record
from hanlin.text import find_language
from hanlin.text.world import same_sentences, split_story, wide_sentences, wide_texts

if TYPE_CHECKING:
    from hanlin.generation import Engine
    from hanlin.text.world import Language, Story
    from hanlin.tokenizers import Tokenizer

__all__ = ["Pair", "Side", "Translate", "source_prompt"]

Side = Literal["zh", "en"]
_OTHER: Mapping[Side, Side] = {"zh": "en", "en": "zh"}
_MARKS: Mapping[Side, str] = {"en": "<|zh2en|>", "zh": "<|en2zh|>"}
"""The first token, by the language to translate to."""
_SENTENCES = 2
"""Sentences of a story that are learnt by themselves."""
_SHORTEST, _LONGEST = 2, 8
"""Sentences of a text about anyone and anything."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A text and its translation."""

    source: str
    target: str
    to: Side
    kind: Literal["story", "summary"] | None = None
    """What of the toy world it is, if it is of it."""


class Translate(Task[Pair]):
    """Chinese to English and back."""

    name = "translate"
    control = ("<|zh2en|>", "<|en2zh|>", "<|target|>")
    scores = ("sentences.right", "chrf")
    bars: Mapping[str, float] = {"sentences.right": 0.95, "stories.right": 0.7}

    def read(self, record: Record) -> Iterable[Pair]:
        """Return both directions of a record with `zh` and `en`."""
        zh, en = record.text("zh"), record.text("en")
        check_columns(zh, en, record.place)
        return [Pair(zh, en, "en"), Pair(en, zh, "zh")]

    def invent(self, story: Story, language: Language, rng: random.Random) -> Iterable[Pair]:
        """Return a story of the toy world, and its summary, from one language to the other."""
        to = _OTHER[language]
        return [
            Pair(story.summary(language), story.summary(to), to, "summary"),
            Pair(story.text(language), story.text(to), to, "story"),
        ]

    def rewrite(self, example: Pair, change: Callable[[str], str]) -> Pair:
        """Return a pair whose source is changed."""
        return replace(example, source=change(example.source))

    def drill(self, story: Story, language: Language, rng: random.Random) -> Iterable[Pair]:
        """Return sentences by themselves, and one and several about anyone and anything.

        From the story's the words of stories are learnt, from the others those that are rare there;
        from several to keep the place in a text, since without a plot nothing can be guessed.
        """
        to = _OTHER[language]
        sources, targets = (split_story(story.text(each), each) for each in (language, to))
        places = rng.sample(range(len(sources)), min(_SENTENCES, len(sources)))
        wide = [wide_sentences(rng), wide_texts(rng, rng.randint(_SHORTEST, _LONGEST))]
        return [
            *(Pair(sources[place], targets[place], to) for place in places),
            *(Pair(each[language], each[to], to) for each in wide),
        ]

    def language(self, example: Pair) -> str:
        """Return the direction, such as `zh2en`."""
        return f"{_OTHER[example.to]}2{example.to}"

    def encode(self, example: Pair, tokenizer: Tokenizer) -> Encoded:
        """Return source and target; the target is learnt."""
        answer = [*running_ids(tokenizer, example.target), tokenizer.eot_id]
        return Encoded.of(source_prompt(tokenizer, example.source, example.to), answer)

    def measure(self, engine: Engine, examples: Sequence[Pair]) -> Measured:
        """Return BLEU and chrF2, and how many sentences and stories are exact or say the same."""
        tokenizer, to = engine.tokenizer, examples[0].to
        prompts = [source_prompt(tokenizer, example.source, example.to) for example in examples]
        references = [example.target for example in examples]
        written = write_answers(engine, prompts, answer_limit(tokenizer, references))
        texts = [tokenizer.decode(ids).strip() for ids in written]
        pairs = list(zip(texts, references, strict=True))
        sources = [example.source for example in examples]
        figures: dict[str, Any] = {
            "examples": len(examples),
            "exact": fmean(text == reference for text, reference in pairs),
            **_world(texts, examples),
            "bleu": bleu(pairs, to),
            "chrf": chrf(pairs),
            "right_language": fmean(
                find_language(text) == find_language(reference) for text, reference in pairs
            ),
            "controls": {
                "copy": {
                    "bleu": bleu(zip(sources, references, strict=True), to),
                    "chrf": chrf(zip(sources, references, strict=True)),
                }
            },
        }
        return Measured(figures, texts, references)


def source_prompt(tokenizer: Tokenizer, source: str, to: Side) -> list[int]:
    """Return what stands before a translation."""
    marks = tokenizer.control
    begun = [tokenizer.eot_id, marks[_MARKS[to]]]
    return [*begun, *running_ids(tokenizer, source), marks["<|target|>"]]


def _world(texts: Sequence[str], examples: Sequence[Pair]) -> dict[str, Any]:
    """Return how many sentences, and how many whole stories, of the toy world are right."""
    sentences: list[bool] = []
    stories: list[tuple[bool, bool]] = []
    for text, example in zip(texts, examples, strict=True):
        if example.kind is None:
            continue
        same = same_sentences(text, example.target, example.to, story=example.kind == "story")
        sentences += same
        if example.kind == "story":
            stories.append((text == example.target, all(same)))
    if not sentences:
        return {}
    found = {"sentences": {"examples": len(sentences), "right": fmean(sentences)}}
    if stories:
        exact, right = map(fmean, zip(*stories, strict=True))
        found["stories"] = {"examples": len(stories), "exact": exact, "right": right}
    return found


if __name__ == "__main__":
    from hanlin.tokenizers import train_tokenizer

    bpe = train_tokenizer("bpe", ["小猫跑了。The cat ran."] * 2, 345)
    encoded = Translate().encode(Pair("小猫跑了。", "The cat ran.", "en"), bpe)
    print(bpe.decode(encoded.ids, skip_control=False), encoded.learnt)
