"""The toy world: little bilingual stories from one event structure, and a checker of stories.

from hanlin.text.world import check, generate_story
story = generate_story(random.Random(3))
print(story.text("zh"), story.text("en"), check(story.text("en"), "en").consistent)
"""

from __future__ import annotations

from hanlin.text.world.casting import Split
from hanlin.text.world.checker import Structure, Verdict, check
from hanlin.text.world.entities import Language
from hanlin.text.world.equivalence import same_sentences, split_story
from hanlin.text.world.mutation import MUTATIONS, Mutation, mutate
from hanlin.text.world.offers import are_choices, choices, related, wide_request
from hanlin.text.world.retelling import edit_keywords, event_wordings, retell
from hanlin.text.world.state import Event
from hanlin.text.world.story import Story, generate_story, write_stories
from hanlin.text.world.tasks import Figure, Request
from hanlin.text.world.wide import wide_sentences, wide_texts

__all__ = [
    "MUTATIONS",
    "Event",
    "Figure",
    "Language",
    "Mutation",
    "Request",
    "Split",
    "Story",
    "Structure",
    "Verdict",
    "are_choices",
    "check",
    "choices",
    "edit_keywords",
    "event_wordings",
    "generate_story",
    "mutate",
    "related",
    "retell",
    "same_sentences",
    "split_story",
    "wide_request",
    "wide_sentences",
    "wide_texts",
    "write_stories",
]
