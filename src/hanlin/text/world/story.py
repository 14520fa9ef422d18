"""A story, and the generator of stories.

python -m hanlin.text.world --seed 3
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from hanlin.config import WorldConfig
from hanlin.text.aside import aside
from hanlin.text.facts import with_facts
from hanlin.text.world import tasks
from hanlin.text.world.casting import Split, StuckError, cumulative_weights, held_out
from hanlin.text.world.checker import MAX_SENTENCES, MIN_SENTENCES, Structure
from hanlin.text.world.course import Course
from hanlin.text.world.drafting import Draft
from hanlin.text.world.entities import Language
from hanlin.text.world.grammar import grammar_of
from hanlin.text.world.plots import PLOTS, Plot
from hanlin.text.world.state import is_state_dependent, structure_of

__all__ = ["Story", "generate_story", "write_stories"]

SECOND_PLOT_SHARE = 0.2
PLOT_OFFSET, PLOT_EXPONENT = 6.0, 1.25
_QUESTIONS = 2
_TAGS: dict[Language, str] = {"zh": "zh-Hans", "en": "en"}
_FEWEST_ASIDE = 1000
"""Stories from which on it pays to start a process for each language."""
SHORT_PLOT = 4
"""A second plot may follow a first one that took at most so many sentences."""


@dataclass(frozen=True, slots=True)
class Story(Course):
    """A story: what happens in it, and all that can be derived from that."""

    def text(self, language: Language) -> str:
        """Tell the story: one paragraph, always in the same words."""
        return _text(self, language)

    def summary(self, language: Language) -> str:
        """Tell where it happened and what mattered, in one or two sentences."""
        return tasks.summary(self, language)

    def keywords(self, language: Language) -> tuple[str, ...]:
        """Return the names in the summary, in their order; all are found in the text as well."""
        return tasks.keywords(self, language)

    def questions(self, language: Language) -> tuple[tuple[str, str], ...]:
        """Return questions about the story with their answers."""
        return tasks.questions(self, language)

    def request(self, language: Language, rng: random.Random) -> tasks.Request:
        """Return a command about things of the story, with a fact left out at times."""
        return tasks.request(self, language, rng)

    def picture(self, language: Language) -> str:
        """Describe a small picture of the story's place and things."""
        return tasks.picture(self, language)

    @property
    def scene(self) -> tuple[tasks.Figure, ...]:
        """The things in the picture."""
        return tasks.scene(self)

    @property
    def structure(self) -> Structure:
        """The events without their wording."""
        return structure_of(self.events)

    @property
    def state_dependent(self) -> bool:
        """Whether an event needs something that an earlier one changed."""
        return is_state_dependent(self.events)


@tasks.remembered
def _text(story: Course, language: Language) -> str:
    return grammar_of(language).write(story.events, story.wording)


def generate_story(rng: random.Random, *, split: Split = "train") -> Story:
    """Make up a story.

    No actor of a training story meets a thing that is held out for it; in a held-out story at
    least one does.

    >>> 3 <= len(generate_story(random.Random(1)).events) <= 12
    True
    """
    while True:
        draft = Draft(rng, split)
        try:
            draft.play(_choose_plot(rng))
            if len(draft.events) <= SHORT_PLOT and rng.random() < SECOND_PLOT_SHARE:
                draft.play(_choose_plot(rng))
            draft.end()
        except StuckError:
            continue
        if not MIN_SENTENCES <= len(draft.events) <= MAX_SENTENCES:
            continue
        if split == "train" or held_out(draft.events):
            return Story(tuple(draft.events), tuple(draft.core), rng.getrandbits(32))


def write_stories(
    config: WorldConfig, *, processes: int | None = None
) -> Iterator[tuple[str, str]]:
    """Yield training stories with their language, the languages in turn.

    Every language has stories of its own, so that the corpus is not a parallel one. Where the world
    has facts, each story ends with one. Of many stories, each language is written by a process of
    its own, if there are cores for that (or `processes`); the stories are the same.
    """
    if processes is None and config.stories < _FEWEST_ASIDE:
        processes = 1
    return with_facts(_stories(config, processes), config)


def _stories(config: WorldConfig, processes: int | None) -> Iterator[tuple[str, str]]:
    languages = tuple(dict.fromkeys(config.languages))
    jobs = [(_stories_in, (config, language)) for language in languages]
    with aside(jobs, processes=processes) as streams:
        for texts in zip(*streams, strict=True):
            yield from zip(texts, (_TAGS[language] for language in languages), strict=True)


def _stories_in(config: WorldConfig, language: Language) -> Iterator[str]:
    """Yield the stories of one language, which have a seed of their own."""
    rng = random.Random(f"{config.seed}/{language}")
    for _ in range(config.stories):
        story = generate_story(rng)
        text = story.text(language)
        if config.form == "questions":
            text += "".join(_asked(story, language, rng))
        yield text


def _asked(story: Story, language: Language, rng: random.Random) -> Iterator[str]:
    """Yield lines with some questions about a story, each with its answer."""
    ask, answer = ("问：", "答：") if language == "zh" else ("Question: ", "Answer: ")
    known = story.questions(language)
    for question, reply in rng.sample(known, min(_QUESTIONS, len(known))):
        yield f"\n{ask}{question}\n{answer}{reply}"


def _choose_plot(rng: random.Random) -> Plot:
    weights = cumulative_weights(len(PLOTS), PLOT_OFFSET, PLOT_EXPONENT)
    return rng.choices(PLOTS, cum_weights=weights)[0]
