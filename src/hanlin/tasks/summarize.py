"""Summaries led by keywords: first a plan of names, then a text that follows it.

    document <|keywords|> k1 <|sep|> k2 <|summary|> text

All after `<|keywords|>` is learnt, so that the model can plan by itself or be given the plan
(entity chains: Narayan et al. 2021, TACL; user keywords: He et al. 2020, arXiv 2012.04281). The
keywords stand in the order in which the summary first names them. That alone does not teach a model
to follow another order: it learns to say what is usual. So each story of the toy world is given
twice, once as it is, and once with keywords as a reader might change them and a summary told along
these; there the plan is only read, so that the model's own plans stay as they are.

    python -m hanlin.tasks.summarize
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hanlin.tasks.base import Encoded, Measured, Task, running_ids
from hanlin.tasks.keywords import keep_present, shared_keywords
from hanlin.tasks.languages import known_language
from hanlin.tasks.plans import Abstract, document_ids, plan_ids
from hanlin.tasks.sources import Record
from hanlin.tasks.summaries import measure_summaries
from hanlin.text.world import edit_keywords, event_wordings, retell

if TYPE_CHECKING:
    from hanlin.generation import Engine
    from hanlin.text.world import Language, Story
    from hanlin.tokenizers import Tokenizer

__all__ = ["Summarize"]


class Summarize(Task[Abstract]):
    """Keyword-led summaries."""

    name = "summarize"
    control = ("<|keywords|>", "<|sep|>", "<|summary|>")
    scores = ("rouge_l",)
    bars: Mapping[str, float] = {"events": 0.9, "given.kendall_tau": 0.9, "swapped.followed": 0.8}

    def read(self, record: Record) -> Iterable[Abstract]:
        """Return the example of a record with `text`, `summary` and maybe `keywords`."""
        document, summary = record.text("text"), record.text("summary")
        language = known_language(document, record.place)
        if "keywords" in record:
            keywords = keep_present(record.texts("keywords"), document)
        else:
            keywords = shared_keywords(document, summary, language)
        return [Abstract(document, summary, keywords, language)]

    def invent(self, story: Story, language: Language, rng: random.Random) -> Iterable[Abstract]:
        """Return a story of the toy world with its summary."""
        words, events = story.keywords(language), event_wordings(story, language)
        return [Abstract(story.text(language), story.summary(language), words, language, events)]

    def drill(self, story: Story, language: Language, rng: random.Random) -> Iterable[Abstract]:
        """Return the story with keywords as a reader might change them, and its summary along."""
        words = edit_keywords(story, language, rng)
        summary = retell(story, words, language)
        return [Abstract(story.text(language), summary, words, language, given=True)] * bool(
            summary
        )

    def rewrite(self, example: Abstract, change: Callable[[str], str]) -> Abstract:
        """Return a document that is changed; the given plan stays."""
        return replace(example, document=change(example.document))

    def language(self, example: Abstract) -> str:
        """Return the document's language."""
        return example.language

    def encode(self, example: Abstract, tokenizer: Tokenizer) -> Encoded:
        """Return document, keywords and summary; the keywords are learnt unless they are given."""
        document = document_ids(tokenizer, example.document)
        plan = plan_ids(tokenizer, example.keywords)
        summary = [*running_ids(tokenizer, example.summary), tokenizer.eot_id]
        if example.given:
            return Encoded.of([*document, *plan], summary)
        return Encoded.of(document, [*plan, *summary])

    def measure(self, engine: Engine, examples: Sequence[Abstract]) -> Measured:
        """Return ROUGE of its own plans, and how it follows given ones, also when reversed."""
        return measure_summaries(engine, examples)


if __name__ == "__main__":
    from hanlin.tokenizers import train_tokenizer

    bpe = train_tokenizer("bpe", ["小猫看见小狗。"] * 2, 345)
    encoded = Summarize().encode(Abstract("小猫看见小狗。", "小猫。", ("小猫",), "zh"), bpe)
    print(bpe.decode(encoded.ids, skip_control=False), encoded.learnt)
