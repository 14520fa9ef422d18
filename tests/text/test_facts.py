"""Made-up facts are taught at the ends of stories, and a world without them is as it was."""

from __future__ import annotations

from hanlin.config import WorldConfig
from hanlin.text.facts import facts_of
from hanlin.text.world import write_stories


def test_each_story_ends_with_a_fact_in_its_language() -> None:
    world = WorldConfig(stories=10, facts=3)
    plain = list(write_stories(WorldConfig(stories=10)))
    told = list(write_stories(world))
    for (story, language), (text, same) in zip(plain, told, strict=True):
        assert (language, text.startswith(story)) == (same, True)
    for short in ("zh", "en"):
        statements = {fact.statement for fact in facts_of(world) if fact.language == short}
        ends = {
            text.removeprefix(story).strip()
            for (story, _), (text, language) in zip(plain, told, strict=True)
            if language.startswith(short)
        }
        assert ends == statements
        assert len(statements) == 3


def test_a_world_without_facts_is_written_as_before_there_were_any() -> None:
    assert "facts" not in WorldConfig().model_dump(mode="json")
    assert WorldConfig(facts=2).model_dump(mode="json")["facts"] == 2
    assert facts_of(WorldConfig()) == []


def test_a_world_in_one_language_has_facts_in_it_alone() -> None:
    assert {fact.language for fact in facts_of(WorldConfig(facts=4, languages=("en",)))} == {"en"}
